"""Words that the control plane and the agent share: type URLs, names, ports, labels, node identity. A leaf package."""
