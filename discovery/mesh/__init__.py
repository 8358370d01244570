"""Selection: which services, policies and routes a proxy sees. Small queries per scope; rendering is elsewhere."""
