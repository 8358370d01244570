"""The only code that talks to a Kubernetes API server: raw bytes in and out, watches, queues. Knows no domain."""
