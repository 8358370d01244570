"""What the status of a configuration object should say, and the patch that makes it so. Pure.

Two conditions are ours; others in the same list stay as they are:

- `Accepted`: whether the object is in use, and if not why. Warnings are told here too.
- `Reconciled`: whether every proxy that it concerns has acknowledged this generation of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from discovery.schema.conditions import Condition, ObjectState
from discovery.schema.findings import Finding, Severity, has_errors
from discovery.store.delivery import Delivery

__all__ = ["ACCEPTED", "RECONCILED", "Observation", "is_settled", "plan_status"]

ACCEPTED: Final = "Accepted"
RECONCILED: Final = "Reconciled"
_TOLD: Final = 5  # findings in one message
_MESSAGE_CHARS: Final = 1024
_NOT_IN_USE: Final = "the version before it stays in use"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """An object as the cluster has it now.

    Attributes:
        findings: what is wrong with it.
        served: some version of it is in use.
    """

    state: ObjectState
    findings: tuple[Finding, ...] = ()
    served: bool = True

    @property
    def refused(self) -> bool:
        """Whether this version is not in use."""
        return has_errors(self.findings)


def is_settled(seen: Observation) -> bool:
    """Whether its status says already that this generation was acknowledged by everybody."""
    mine = _by_type(seen.state.conditions)
    found = mine.get(RECONCILED, {})
    return found.get("status") == "True" and _generation(found) == seen.state.generation and not seen.refused


def plan_status(seen: Observation, delivery: Delivery, *, now: datetime) -> Mapping[str, Any] | None:
    """The merge patch of the object's status; None where it is as it should be.

    Args:
        seen: the object.
        delivery: how far it has got; of no concern while it is refused.
        now: when conditions that turn did so.
    """
    wanted = (_accepted(seen), _reconciled(seen, delivery))
    there = _by_type(seen.state.conditions)
    conditions: list[Any] = [c for c in seen.state.conditions if c.get("type") not in (ACCEPTED, RECONCILED)]
    changed = False
    for condition in wanted:
        found = there.get(condition.type)
        turned = found is None or found.get("status") != condition.status
        at = _rfc3339(now) if turned or found is None else str(found.get("lastTransitionTime") or _rfc3339(now))
        dated = msgspec.to_builtins(msgspec.structs.replace(condition, last_transition_time=at))
        changed = changed or found is None or _comparable(found) != _comparable(dated)
        conditions.append(dated)
    if not changed:
        return None
    return {
        "metadata": {"resourceVersion": seen.state.version},  # somebody else's condition must not be lost
        "status": {"conditions": conditions, "observedGeneration": seen.state.generation},
    }


def _accepted(seen: Observation) -> Condition:
    generation = seen.state.generation
    if seen.refused:
        message = _told(f for f in seen.findings if f.severity is Severity.ERROR)
        message = f"{message}; {_NOT_IN_USE}" if seen.served else message
        return Condition(
            type=ACCEPTED, status="False", reason="Invalid", message=message, observed_generation=generation
        )
    warnings = [f for f in seen.findings if f.severity is Severity.WARNING]
    reason = "AcceptedWithWarnings" if warnings else "Accepted"
    return Condition(
        type=ACCEPTED, status="True", reason=reason, message=_told(warnings), observed_generation=generation
    )


def _reconciled(seen: Observation, delivery: Delivery) -> Condition:
    status, reason, message = "True", "Acknowledged", "every proxy that it concerns has acknowledged it"
    if seen.refused:
        status, reason, message = "False", "NotAccepted", "it is not in use"
    elif delivery.rejected:
        status, reason = "False", "Rejected"
        message = "; ".join(f"{r.proxy} rejected {r.type} {r.name}: {r.error}" for r in delivery.rejected[:_TOLD])
    elif delivery.waiting:
        status, reason, message = "False", "Pending", "not every proxy that it concerns has acknowledged it yet"
    elif delivery.unheard:
        status, reason = "Unknown", "ReplicaUnheard"
        message = f"proxies of other replicas may not have acknowledged it: {'; '.join(delivery.unheard[:_TOLD])}"
    return Condition(
        type=RECONCILED,
        status=status,
        reason=reason,
        message=message[:_MESSAGE_CHARS],
        observed_generation=seen.state.generation,
    )


def _told(findings: Iterable[Finding]) -> str:
    texts = [_text(finding) for finding in findings]
    more = f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return ("; ".join(texts[:_TOLD]) + more)[:_MESSAGE_CHARS]


def _text(finding: Finding) -> str:
    """Without the object, whose status it stands in."""
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{finding.path}: {finding.problem}{hint}" if finding.path else f"{finding.problem}{hint}"


def _by_type(conditions: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(condition.get("type", "")): condition for condition in conditions}


def _generation(condition: Mapping[str, Any]) -> int:
    text = str(condition.get("observedGeneration", 0))
    return int(text) if text.isdecimal() else 0


def _comparable(condition: Mapping[str, Any]) -> tuple[object, ...]:
    known = [str(condition.get(name, "")) for name in ("status", "reason", "message", "lastTransitionTime")]
    return (*known, _generation(condition))


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
