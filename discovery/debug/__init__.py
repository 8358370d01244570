"""Read-only views for people: what is configured, what is served, who was sent what, and why. JSON, and one page."""
