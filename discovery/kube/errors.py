"""What an API server can answer instead of what was asked for.

KubeError
├── AccessError           the kubeconfig or the service account's files cannot be used: the user's to mend
├── UnreachableError      no answer: refused, cut off, timed out, TLS
├── BadAnswerError        an answer that is none of the API
└── ApiError              an answer with a status that is no success
    ├── InvalidError          400 and 422: the request or the object is wrong
    ├── UnauthorizedError     401: who we are was not accepted
    ├── ForbiddenError        403: RBAC or admission does not allow it
    ├── NotFoundError         404: no such object, or no such resource
    ├── ConflictError         409: somebody else wrote the object first
    │   └── AlreadyExistsError    409 on creation
    ├── GoneError             410: the resourceVersion or continue token is too old
    └── TooManyRequestsError  429: come back later
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "AccessError",
    "AlreadyExistsError",
    "ApiError",
    "BadAnswerError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "InvalidError",
    "KubeError",
    "NotFoundError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnreachableError",
    "api_error",
]

_SHOWN_BYTES: Final = 300


class KubeError(Exception):
    """Something about an API server went wrong; the text says what was asked and what came back."""


class AccessError(KubeError):
    """How to reach the API server, or as whom, cannot be read; the text names the file and what to do."""


class UnreachableError(KubeError):
    """No answer, or one that broke off. Whether a write took effect is not known."""


class BadAnswerError(KubeError):
    """What came is not what the API defines: a proxy's page, an event of an unknown type."""


class ApiError(KubeError):
    """The API server said no.

    Args:
        asked: method and path, for the text.
        status: HTTP status.
        reason: the machine-readable word of the ``Status`` object, such as ``Expired``; may be empty.
        message: what the API server says about it.
        retry_after_s: how long it asks to wait before the next try, in seconds; 0: it did not say.
    """

    def __init__(self, asked: str, status: int, reason: str, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(asked, status, reason, message, retry_after_s)
        self.asked = asked
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        told = " ".join(part for part in (str(self.status), self.reason) if part)
        return f"{self.asked}: {told}: {self.message}" if self.message else f"{self.asked}: {told}"


class InvalidError(ApiError):
    """The request or the object in it is wrong; sending it again is of no use."""


class UnauthorizedError(ApiError):
    """The credentials were not accepted."""


class ForbiddenError(ApiError):
    """RBAC or an admission plugin does not allow this."""


class NotFoundError(ApiError):
    """There is no such object, or no such resource (its CRD is not installed)."""


class ConflictError(ApiError):
    """The object was written by somebody else since it was read: read it again."""


class AlreadyExistsError(ConflictError):
    """The object to be created is there already."""


class GoneError(ApiError):
    """The resourceVersion or continue token is older than what the API server keeps: list again."""


class TooManyRequestsError(ApiError):
    """The API server is busy, or an eviction must wait."""


_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: TooManyRequestsError,
}


class _Details(msgspec.Struct, frozen=True):
    retry_after_seconds: float = msgspec.field(name="retryAfterSeconds", default=0.0)


class _Status(msgspec.Struct, frozen=True):
    """``v1`` Status, as far as it says more than the HTTP status."""

    kind: str = ""
    reason: str = ""
    message: str = ""
    code: int = 0
    details: _Details | None = None


_DECODER: Final = msgspec.json.Decoder(_Status)


def api_error(asked: str, status: int, body: bytes, retry_after: str = "") -> ApiError:
    """The error that an answer stands for.

    ``status`` may be 0 where there is none (an ERROR event of a watch): then the body's ``code`` counts.
    ``retry_after`` is the header's text; only seconds are understood, which is all that API servers send.
    """
    try:
        told = _DECODER.decode(body)
    except msgspec.DecodeError:  # a proxy on the way, or a text such as "404 page not found"
        told = _Status(message=body[:_SHOWN_BYTES].decode("utf-8", "replace").strip())
    status = status or told.code or 500
    wait_s = float(retry_after) if retry_after.isdecimal() else 0.0
    if told.details is not None:
        wait_s = max(wait_s, told.details.retry_after_seconds)
    made = _BY_STATUS.get(status, ApiError)
    if made is ConflictError and told.reason == "AlreadyExists":
        made = AlreadyExistsError
    return made(asked, status, told.reason, told.message, wait_s)
