"""Feeds into the store: a directory of YAML, the mesh configuration file, memory. Each is a service of its own."""
