"""Current state: the cells that sources fill, and the one writer that fills them."""
