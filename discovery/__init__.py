"""The control plane: services, endpoints and mesh policy in; Envoy configuration out."""
