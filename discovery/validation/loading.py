"""What of a decoded document may be served, by the same rules for every source. Pure.

An object that can be read but breaks a rule is treated as one that cannot be read: its last good version stays, the
owner gets findings, and everything else in the document is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from discovery.schema.decode import Decoded
from discovery.schema.findings import Finding, Severity, has_errors
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.validation.objects import validate

__all__ = ["accepted", "untranslated"]

_UNENFORCED: Final = {
    Kind.AUTHORIZATION_POLICY: "it is not enforced: this control plane does not translate authorization policies yet",
    Kind.REQUEST_AUTHENTICATION: "it is not enforced: this control plane does not check tokens yet",
}


def accepted(decoded: Decoded) -> Decoded:
    """The same document without the objects that break a rule: those are among its broken ones, with findings."""
    if not decoded.objects:
        return decoded
    good: list[Object] = []
    broken: list[ObjectKey] = []
    found: list[Finding] = []
    for obj in decoded.objects:
        findings = validate(obj)
        found += findings
        if has_errors(findings):
            broken.append(obj.key)
            continue
        good.append(obj)
        if obj.key.kind in _UNENFORCED:
            found.append(_unenforced(obj))
    if not found:
        return decoded
    return msgspec.structs.replace(
        decoded,
        objects=tuple(good),
        findings=(*decoded.findings, *found),
        broken=(*decoded.broken, *broken),
    )


def _unenforced(obj: Object) -> Finding:
    hint = (
        "enforce it by other means (a network policy, the application); requests are let through as if it were absent"
    )
    return Finding(str(obj.key), "", _UNENFORCED[obj.key.kind], hint, Severity.WARNING, obj.origin)


def untranslated(keys: Iterable[ObjectKey]) -> Iterator[Finding]:
    """One finding for each kind among the objects that is read, validated and shown, but that no proxy hears of."""
    idle = sorted({key.kind for key in keys if not KINDS[key.kind].translated} - _UNENFORCED.keys())
    for kind in idle:
        if KINDS[kind].is_gateway_api:
            problem, hint = "are read and shown only", "another controller may serve them"
        else:
            problem, hint = "are validated only", ""
        yield Finding(str(kind), "", f"objects of this kind have no effect yet: they {problem}", hint, Severity.INFO)
