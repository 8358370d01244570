"""From which address, and by which interface, a machine with several of them calls others."""
