"""What runs: services, endpoints and workloads in one model, whatever they were declared with."""
