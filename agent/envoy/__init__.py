"""Envoy as the agent runs it: its command line, its administration interface, its end."""
