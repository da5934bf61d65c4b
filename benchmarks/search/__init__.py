"""How much of an exhaustive search a sweep needs: recorded grids, and sweeps replayed on them."""
