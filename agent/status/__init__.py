"""What the agent tells about its workload over HTTP: readiness, metrics, and the two orders drain and quit."""
