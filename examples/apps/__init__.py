"""Applications of the examples. They know nothing of the mesh: plain HTTP, the standard library only."""
