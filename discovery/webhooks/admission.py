"""AdmissionReview: what an API server asks, and how it is answered. Pure.

Spec: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["Answer", "Request", "ReviewError", "parse_review", "render_review"]

_VERSIONS: Final = ("admission.k8s.io/v1", "admission.k8s.io/v1beta1")


class ReviewError(ValueError):
    """The body is no AdmissionReview; the text says why."""


class GroupVersionKind(msgspec.Struct, frozen=True):
    """What kind the object is of."""

    group: str = ""
    version: str = ""
    kind: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked. ``object`` is None when something is deleted, ``old_object`` when something is made."""

    uid: str
    kind: GroupVersionKind = GroupVersionKind()
    name: str = ""
    namespace: str = ""
    operation: str = ""
    dry_run: bool = False
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None
    api_version: str = msgspec.field(name="reviewVersion", default=_VERSIONS[0])


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered: with ``message`` why not, with ``patch`` what to change."""

    allowed: bool
    message: str = ""
    patch: Sequence[Mapping[str, Any]] = ()
    warnings: tuple[str, ...] = ()


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    request: Request


def parse_review(body: bytes) -> Request:
    """The request in a body.

    Raises:
        ReviewError: the body is not an AdmissionReview of a version that we know.
    """
    try:
        review = msgspec.json.decode(body, type=_Review)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReviewError(f"want an AdmissionReview in JSON: {error}") from None
    if review.kind != "AdmissionReview" or review.api_version not in _VERSIONS:
        got = f"{review.kind} of {review.api_version}"
        raise ReviewError(f"want AdmissionReview of {' or '.join(_VERSIONS)}, got {got}")
    return msgspec.structs.replace(review.request, api_version=review.api_version)


def render_review(request: Request, answer: Answer) -> bytes:
    """The answer's body, in the version of the request."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = {"status": "Failure", "message": answer.message, "reason": "Invalid", "code": 422}
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(answer.patch)).decode()
    if answer.warnings:
        response["warnings"] = answer.warnings
    return msgspec.json.encode({"apiVersion": request.api_version, "kind": "AdmissionReview", "response": response})
