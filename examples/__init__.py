"""Meshes to try: the YAML that a user would write, applications for it, and a demo that runs all of it for real."""
