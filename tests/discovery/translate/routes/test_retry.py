"""Retry policies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.schema.virtual_service import HTTPRetry
from discovery.translate.routes.retry import retry_policy


def test_default() -> None:
    """Without a word from anybody a request that no upstream can have seen is tried twice more, elsewhere."""
    policy = retry_policy(None, hashed=False)
    assert policy is not None
    assert policy["retry_on"] == "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
    assert policy["num_retries"] == {"value": 2}
    assert policy["host_selection_retry_max_attempts"] == 5
    assert [item["name"] for item in policy["retry_host_predicate"]] == ["envoy.retry_host_predicates.previous_hosts"]


def test_hashed_requests_stay_with_their_endpoint() -> None:
    """With consistent hashing every try means the same endpoint, so it is not ruled out."""
    policy = retry_policy(None, hashed=True)
    assert policy is not None
    assert "retry_host_predicate" not in policy


def test_no_attempts_is_no_policy() -> None:
    """``attempts: 0`` turns retries off, the default ones too."""
    assert retry_policy(HTTPRetry(attempts=0), hashed=False) is None


@pytest.mark.parametrize(
    ("written", "retry_on", "codes"),
    [
        ("5xx, reset", "5xx,reset", None),
        ("503", "retriable-status-codes", [503]),
        ("5xx,503,504", "5xx,retriable-status-codes", [503, 504]),
        ("retriable-status-codes,409", "retriable-status-codes", [409]),
    ],
)
def test_numbers_are_status_codes(written: str, retry_on: str, codes: list[int] | None) -> None:
    """Numbers in ``retryOn`` become codes, and the condition that makes them count is added."""
    policy = retry_policy(HTTPRetry(attempts=1, retry_on=written), hashed=False)
    assert policy is not None
    assert (policy["retry_on"], policy.get("retriable_status_codes")) == (retry_on, codes)


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        (HTTPRetry(attempts=4), {"num_retries": {"value": 4}}),
        (HTTPRetry(attempts=1, per_try_timeout=timedelta(seconds=2)), {"per_try_timeout": timedelta(seconds=2)}),
        (
            HTTPRetry(attempts=1, backoff=timedelta(seconds=3)),
            {"retry_back_off": {"base_interval": timedelta(seconds=3)}},
        ),
        (HTTPRetry(attempts=1, retry_ignore_previous_hosts=False), {"retry_host_predicate": []}),
    ],
)
def test_what_is_written_is_taken_over(retries: HTTPRetry, expected: dict[str, Any]) -> None:
    """Fields replace the default's one by one."""
    policy = retry_policy(retries, hashed=False)
    assert policy is not None
    assert {key: policy[key] for key in expected} == expected


def test_other_localities() -> None:
    """``retryRemoteLocalities`` tries other priorities; previous hosts may be avoided although hashed, if asked for."""
    policy = retry_policy(
        HTTPRetry(attempts=1, retry_remote_localities=True, retry_ignore_previous_hosts=True), hashed=True
    )
    assert policy is not None
    assert policy["retry_priority"]["name"] == "envoy.retry_priorities.previous_priorities"
    assert policy["retry_host_predicate"]
