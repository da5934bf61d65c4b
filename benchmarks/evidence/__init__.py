"""What `knowledge/evidence/*.csv` was made with: published tables, in a folder given on the command line, to facts in our own schema."""
