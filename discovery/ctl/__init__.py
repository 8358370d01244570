"""``pilotctl``: what an operator types. Speaks HTTP to a control plane, reads files, imports nothing that serves."""
