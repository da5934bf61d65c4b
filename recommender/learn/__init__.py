"""What measured cases teach about rules: a small decision tree, held beside the tables in force, proposed as rows and never applied by itself."""
