"""Injection as a pure function: should this pod get a proxy, and how does it look with one. No I/O, no clock.

``pod.inject`` is what the webhook and ``pilotctl kube-inject`` share.
"""
