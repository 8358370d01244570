"""A Kubernetes API server for tests: the in-process double, and the handle it shares with the real one."""
