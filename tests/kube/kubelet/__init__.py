"""A small kubelet for tests: runs the pods of one node for real, in namespaces of the kernel, without images.

A container is a process of this machine in a root of its own (programs of the machine, read-only; volumes of the pod),
as the user and with the rights that its manifest says; a pod is a network namespace with an address. What Kubernetes
promises about order, probes, restarts and ends holds. Beside it stand the three programs without which no pod gets far:
something that binds pods to the node, cluster IPs (as kube-proxy makes them) and the cluster's DNS.

It is a tool of the tests: one node, IPv4, no resource limits, no host network.
"""
