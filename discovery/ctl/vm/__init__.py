"""What a virtual machine's agent needs, made from a WorkloadGroup and the mesh configuration, all in files."""
