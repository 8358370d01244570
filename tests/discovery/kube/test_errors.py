"""What an API server's refusals become."""

from __future__ import annotations

import pytest

from discovery.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
    api_error,
)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", InvalidError),
        (401, "Unauthorized", UnauthorizedError),
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (409, "Conflict", ConflictError),
        (409, "AlreadyExists", AlreadyExistsError),
        (410, "Expired", GoneError),
        (422, "Invalid", InvalidError),
        (429, "TooManyRequests", TooManyRequestsError),
        (500, "InternalError", ApiError),
        (503, "ServiceUnavailable", ApiError),
    ],
)
def test_each_status_has_its_error(status: int, reason: str, kind: type[ApiError]) -> None:
    """Callers tell refusals apart by type."""
    body = f'{{"kind":"Status","code":{status},"reason":"{reason}","message":"no"}}'.encode()
    error = api_error("GET /x", status, body)
    assert type(error) is kind
    assert str(error) == f"GET /x: {status} {reason}: no"


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [("7", "", 7.0), ("", ',"details":{"retryAfterSeconds":3}', 3.0), ("", "", 0.0), ("Wed, 21 Oct", "", 0.0)],
)
def test_when_to_come_back_is_in_header_or_details(header: str, details: str, seconds: float) -> None:
    """API servers send both; a date is not understood and means: they did not say."""
    error = api_error("GET /x", 429, f'{{"code":429{details}}}'.encode(), header)
    assert error.retry_after_s == seconds


def test_an_answer_that_is_no_status_is_quoted() -> None:
    """A proxy's text tells more than nothing, but not without bound."""
    error = api_error("GET /x", 502, b"bad gateway " * 100)
    assert error.message.startswith("bad gateway")
    assert len(error.message) <= 300


def test_the_code_of_an_error_event_counts() -> None:
    """A watch's ERROR event has no HTTP status of its own."""
    error = api_error("WATCH /x", 0, b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}')
    assert isinstance(error, GoneError)
    assert type(api_error("WATCH /x", 0, b"{}")) is ApiError
