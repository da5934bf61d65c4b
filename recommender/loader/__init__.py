"""From knowledge files to a Catalog: find layers, parse, validate once, keep compiled."""
