"""Files of published figures that ship with the product."""
