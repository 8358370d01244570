"""Cross-origin resource sharing.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#CorsPolicy
"""

from __future__ import annotations

from typing import Any, Final

from discovery.schema.virtual_service import CorsPolicy, UnmatchedPreflights
from discovery.translate.routes.match import string_matcher
from discovery.translate.routes.percent import ALL
from discovery.wire.envoy import RouteCorsPolicy, pack

__all__ = ["CORS_FILTER", "cors"]

CORS_FILTER: Final = "envoy.filters.http.cors"


def cors(policy: CorsPolicy) -> dict[str, Any]:
    """The per-route configuration of the CORS filter as ``Any``."""
    if policy.allow_origins:
        origins = [string_matcher(origin) for origin in policy.allow_origins]
    else:
        origins = [{"exact": origin} for origin in policy.allow_origin]
    built: dict[str, Any] = {
        "allow_origin_string_match": origins,
        "allow_methods": ",".join(policy.allow_methods),
        "allow_headers": ",".join(policy.allow_headers),
        "expose_headers": ",".join(policy.expose_headers),
        "filter_enabled": {"default_value": ALL},
        "forward_not_matching_preflights": {"value": policy.unmatched_preflights is not UnmatchedPreflights.IGNORE},
    }
    if policy.max_age is not None:
        built["max_age"] = str(int(policy.max_age.total_seconds()))
    if policy.allow_credentials is not None:
        built["allow_credentials"] = {"value": policy.allow_credentials}
    return pack(RouteCorsPolicy(**built))
