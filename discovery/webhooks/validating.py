"""What the webhook answers when configuration is written. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from discovery.schema.findings import Finding, Severity
from discovery.schema.kinds import find_kind
from discovery.validation.admission import judge_admission
from discovery.webhooks.admission import Answer, Request
from discovery.webhooks.metrics import Refusal

__all__ = ["Judgement", "judge_request"]

_JUDGED: Final = ("CREATE", "UPDATE")
_PREFIX: Final = "configuration is invalid: "
_MAX_FINDINGS: Final = 20  # a terminal shows no more, and the API server cuts long answers


class Judgement(msgspec.Struct, frozen=True):
    """An answer, and why it is a refusal if it is one."""

    answer: Answer
    refusal: Refusal | None = None
    judged: bool = True


def judge_request(request: Request) -> Judgement:
    """Whether an object may be written, with all that is wrong with it."""
    if request.operation not in _JUDGED or _is_going(request):
        return Judgement(Answer(allowed=True), judged=False)
    if request.object is None:
        return Judgement(_refused("the request has no object"), Refusal.NO_OBJECT)
    if find_kind(request.kind.group, request.kind.kind) is None:
        kind = f"{request.kind.kind or 'a kind without a name'} of {request.kind.group or 'the core group'}"
        hint = "let the webhook's rules name only groups of the mesh"
        return Judgement(_refused(f"{kind} is not known to this control plane; {hint}"), Refusal.UNKNOWN_KIND)
    findings = judge_admission(request.object, namespace=request.namespace or "default")
    errors = [_told(finding) for finding in findings if finding.severity is Severity.ERROR]
    warnings = tuple(_told(finding) for finding in findings if finding.severity is Severity.WARNING)
    if not errors:
        return Judgement(Answer(allowed=True, warnings=warnings))
    more = [f"and {len(errors) - _MAX_FINDINGS} more"] if len(errors) > _MAX_FINDINGS else []
    message = "; ".join([*errors[:_MAX_FINDINGS], *more])
    return Judgement(Answer(allowed=False, message=f"{_PREFIX}{message}", warnings=warnings), Refusal.INVALID)


def _is_going(request: Request) -> bool:
    """Whether this only takes off a finalizer: an object that is being deleted, else as it was. It could never go."""
    if request.object is None or request.old_object is None:
        return False
    metadata: Any = request.object.get("metadata")
    going = isinstance(metadata, dict) and bool(metadata.get("deletionTimestamp"))
    return going and request.object.get("spec") == request.old_object.get("spec")


def _refused(problem: str) -> Answer:
    return Answer(allowed=False, message=f"{_PREFIX}{problem}")


def _told(finding: Finding) -> str:
    """The finding without the object's name, which the API server says already."""
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{finding.path}: {finding.problem}{hint}" if finding.path else f"{finding.problem}{hint}"
