"""Tools that measure on another machine, or that we have no executor for: their command is run, their output is read, our protocol stays here."""
