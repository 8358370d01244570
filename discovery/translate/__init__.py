"""Rendering: what was chosen for a proxy, turned into Envoy bytes by memoised queries."""
