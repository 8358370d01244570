"""Whether the application on a virtual machine can serve: probed by the agent, told to the control plane."""
