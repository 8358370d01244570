"""Endpoints (EDS): load assignments, grouped by locality, with weights, health and the endpoints' own TLS mode."""

from discovery.translate.endpoints.index import endpoint_index
from discovery.translate.endpoints.load_assignment import AssignmentKey, empty_assignment, load_assignment

__all__ = ["AssignmentKey", "empty_assignment", "endpoint_index", "load_assignment"]
