"""Refusals of the API server, each as the `Status` object that it sends.

Spec: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tests.kit.kube_api.objects import Json

__all__ = [
    "StatusError",
    "already_exists",
    "apply_conflict",
    "bad_request",
    "conflict",
    "expired",
    "forbidden",
    "gone_continue",
    "internal",
    "invalid",
    "method_not_allowed",
    "not_found",
    "page_not_found",
    "too_large_version",
    "unauthorized",
    "unsupported_media_type",
]

_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class StatusError(Exception):
    """An answer other than success.

    Attributes:
        code: the HTTP status.
        retry_after_s: for the header `Retry-After`; 0 for none.
    """

    def __init__(
        self, code: int, reason: str, message: str, details: Json | None = None, *, retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after_s = retry_after_s
        self.list_metadata: Json = {}

    def status(self) -> Json:
        """The object that is sent."""
        answer: Json = {"kind": "Status", "apiVersion": "v1", "metadata": self.list_metadata, "status": "Failure"}
        answer |= {"message": self.message, "reason": self.reason}
        details = dict(self.details or {})
        if self.retry_after_s:
            details["retryAfterSeconds"] = self.retry_after_s
        if details:
            answer["details"] = details
        return {**answer, "code": self.code}

    def encoded(self) -> bytes:
        """The same as JSON."""
        return msgspec.json.encode(self.status())


def _about(plural: str, group: str, name: str) -> tuple[str, Json]:
    details = {"name": name, "group": group, "kind": plural}
    return f"{plural}.{group}" if group else plural, {key: value for key, value in details.items() if value}


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    """401: the credentials are not ours."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(plural: str, group: str, name: str, why: str) -> StatusError:
    """403 for a resource."""
    resource, details = _about(plural, group, name)
    shown = f'{resource} "{name}"' if name else resource
    return StatusError(403, "Forbidden", f"{shown} is forbidden: {why}", details)


def not_found(plural: str, group: str, name: str) -> StatusError:
    """404 for an object."""
    resource, details = _about(plural, group, name)
    return StatusError(404, "NotFound", f'{resource} "{name}" not found', details)


def page_not_found() -> StatusError:
    """404 for a path that is not served."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> StatusError:
    """405."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def already_exists(plural: str, group: str, name: str) -> StatusError:
    """409 for a create."""
    resource, details = _about(plural, group, name)
    return StatusError(409, "AlreadyExists", f'{resource} "{name}" already exists', details)


def conflict(plural: str, group: str, name: str, why: str = _MODIFIED) -> StatusError:
    """409 for a stale resource version or a failed precondition."""
    resource, details = _about(plural, group, name)
    return StatusError(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{name}": {why}', details)


def apply_conflict(causes: Sequence[tuple[str, str]]) -> StatusError:
    """409 for a server-side apply that would take fields from others; causes are (manager, field path)."""
    many = f"{len(causes)} conflict" + ("s" if len(causes) > 1 else "")
    told = []
    for manager in sorted({manager for manager, _ in causes}):
        paths = [path for owner, path in causes if owner == manager]
        listed = "".join(f"\n- {path}" for path in paths)
        told.append(
            f'conflicts with "{manager}":{listed}' if len(paths) > 1 else f'conflict with "{manager}": {paths[0]}'
        )
    message = f"Apply failed with {many}: " + "\n".join(told)
    details = {
        "causes": [
            {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": path}
            for manager, path in causes
        ]
    }
    return StatusError(409, "Conflict", message, details)


def expired(message: str) -> StatusError:
    """410: the version asked for is not kept any more."""
    return StatusError(410, "Expired", message)


def gone_continue(fresh_token: str) -> StatusError:
    """410 for a page whose snapshot is gone; the token goes on with the present state instead."""
    error = expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    error.list_metadata = {"continue": fresh_token}
    return error


def invalid(kind: str, group: str, name: str, causes: Sequence[tuple[str, str, str]]) -> StatusError:
    """422; causes are (field, reason such as `FieldValueInvalid`, message)."""
    shown = f"{kind}.{group}" if group else kind
    texts = [f"{field}: {message}" for field, _, message in causes]
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {
        "name": name,
        "group": group,
        "kind": kind,
        "causes": [{"reason": reason, "message": message, "field": field} for field, reason, message in causes],
    }
    return StatusError(422, "Invalid", f'{shown} "{name}" is invalid: {joined}', details)


def unsupported_media_type(wanted: str) -> StatusError:
    """415."""
    message = f"the body of the request was in an unknown format - accepted media types include: {wanted}"
    return StatusError(415, "UnsupportedMediaType", message)


def internal(message: str) -> StatusError:
    """500."""
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def too_large_version(wanted: int, current: int) -> StatusError:
    """504: the version asked for is in the future."""
    details: Json = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    message = f"Too large resource version: {wanted}, current: {current}"
    return StatusError(504, "Timeout", f"Timeout: {message}", details, retry_after_s=1)
