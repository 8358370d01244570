"""When a request is sent again.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRetry
"""

from __future__ import annotations

from typing import Any, Final

from discovery.schema.virtual_service import HTTPRetry
from discovery.wire.envoy import PreviousHostsPredicate, PreviousPrioritiesConfig, pack

__all__ = ["retry_policy"]

_BY_STATUS: Final = "retriable-status-codes"
_RETRY_ON: Final = f"connect-failure,refused-stream,unavailable,cancelled,{_BY_STATUS}"
_ATTEMPTS: Final = 2
_HOST_ATTEMPTS: Final = 5  # how often another host is drawn when the one drawn was tried before
_OTHER_HOST: Final = [
    {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": pack(PreviousHostsPredicate())}
]
_OTHER_PRIORITY: Final = {
    "name": "envoy.retry_priorities.previous_priorities",
    "typed_config": pack(PreviousPrioritiesConfig(update_frequency=2)),
}


def retry_policy(retries: HTTPRetry | None, *, hashed: bool) -> dict[str, Any] | None:
    """The keyword form of ``route.v3.RetryPolicy``; None: never try again.

    Args:
        retries: None for the default policy.
        hashed: the endpoint follows from the request, so that trying another one would be of no use.
    """
    policy: dict[str, Any] = {
        "retry_on": _RETRY_ON,
        "num_retries": {"value": _ATTEMPTS},
        "host_selection_retry_max_attempts": _HOST_ATTEMPTS,
    }
    if not hashed:
        policy["retry_host_predicate"] = _OTHER_HOST
    if retries is None:
        return policy
    if retries.attempts <= 0:
        return None
    policy["num_retries"] = {"value": retries.attempts}
    if retries.retry_on:
        policy |= _conditions(retries.retry_on)
    if retries.per_try_timeout is not None:
        policy["per_try_timeout"] = retries.per_try_timeout
    if retries.backoff is not None:
        policy["retry_back_off"] = {"base_interval": retries.backoff}
    if retries.retry_remote_localities:
        policy["retry_priority"] = _OTHER_PRIORITY
    if retries.retry_ignore_previous_hosts is not None:
        policy["retry_host_predicate"] = _OTHER_HOST if retries.retry_ignore_previous_hosts else []
    return policy


def _conditions(text: str) -> dict[str, Any]:
    """Envoy's conditions; numbers among them are status codes."""
    words = [word for part in text.split(",") if (word := part.strip())]
    codes = [int(word) for word in words if word.isdecimal()]
    conditions = [word for word in words if not word.isdecimal()]
    if not codes:
        return {"retry_on": ",".join(conditions)}
    if _BY_STATUS not in conditions:
        conditions.append(_BY_STATUS)
    return {"retry_on": ",".join(conditions), "retriable_status_codes": codes}
