"""How often each rule was right in cases that were measured, and what it cost where it was wrong."""
