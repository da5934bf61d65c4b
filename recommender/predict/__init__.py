"""Many cases at once: rows of a table, described freely, to the numbers a recommendation would give for them."""
