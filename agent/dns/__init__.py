"""The DNS proxy: names of the mesh are answered from the control plane's table, all others by the host's resolvers."""
