"""Writers: what the control plane changes in the cluster, or in its own store, instead of only reading it."""
