"""WorkloadEntries of virtual machines that register themselves: what to write, as a function of what is there. Pure.

A proxy on a stream names its WorkloadGroup; while it is connected there is an entry made of the group's template and
of what the proxy says of itself. When the stream ends the entry is marked, and deleted when the proxy has not come
back, to whichever replica, within a grace period. What the proxy's agent finds out about the application's health is
the status condition ``Healthy``.

Everything is level: ``plan`` looks at the entry as it is and says the one next write that brings it nearer to what it
should be, so events may be lost, repeated or late, and several replicas may look at the same entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from discovery.registry.registrant import Refusal, RefusedError, Registrant
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.schema.workload_entry import HEALTH_CHECKED, HEALTHY, WorkloadEntry
from discovery.schema.workload_group import WorkloadGroup
from discovery.wire.labels import LOCALITY, LOCALITY_LEGACY

__all__ = [
    "Create",
    "Delete",
    "Document",
    "Presence",
    "Replace",
    "ReplaceStatus",
    "Report",
    "Rules",
    "Settled",
    "Step",
    "check_registrant",
    "entry_key",
    "group_key",
    "is_leaked",
    "is_registered",
    "plan",
    "plan_leaked",
]

Document = dict[str, Any]  # an object as JSON has it; never changed once it is made

GROUP: Final = "istio.io/autoRegistrationGroup"
CONTROLLER: Final = "istio.io/workloadController"
CONNECTED_AT: Final = "istio.io/connectedAt"
DISCONNECTED_AT: Final = "istio.io/disconnectedAt"
_API: Final = "networking.istio.io/v1"
_MAX_NAME: Final = 253  # of an object


class Report(msgspec.Struct, frozen=True):
    """The last word of a proxy's agent about the application; ``failure`` is None when it is healthy."""

    failure: str | None
    at: datetime


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """What this replica knows of the proxy behind an entry; ``left_at`` once its stream has ended."""

    registrant: Registrant
    report: Report | None = None
    left_at: datetime | None = None


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all entries.

    Attributes:
        controller: the name of this replica.
        grace: how long an entry outlives its proxy's stream.
        max_age: longest life of a stream, if that is bounded: an entry that claims an older one has lost it.
        validate_identity: whether only proxies with a verified identity are registered.
    """

    controller: str
    grace: timedelta = timedelta(seconds=10)
    max_age: timedelta | None = None
    validate_identity: bool = True


class Create(NamedTuple):
    """Make the entry."""

    document: Document


class Replace(NamedTuple):
    """Write all but the status, if nobody else wrote since it was read."""

    document: Document


class ReplaceStatus(NamedTuple):
    """Write the status, if nobody else wrote since it was read."""

    document: Document


class Delete(NamedTuple):
    """Remove it, if nobody else wrote since it was read."""

    document: Document


class Settled(NamedTuple):
    """Nothing to write. ``again_at``: when to look again; ``over``: nothing will ever be to do for this presence."""

    again_at: datetime | None = None
    over: bool = False


Step = Create | Replace | ReplaceStatus | Delete | Settled


def entry_name(group: str, address: str, network: str) -> str:
    """The name of an entry: of one group, address and network there is one."""
    name = "-".join(part for part in (group, address.replace(":", "-"), network) if part)
    return name[-_MAX_NAME:].lstrip("-.")


def entry_key(registrant: Registrant) -> ObjectKey:
    """The entry that a proxy is."""
    name = registrant.entry or entry_name(registrant.group, registrant.address, registrant.network)
    return ObjectKey(Kind.WORKLOAD_ENTRY, registrant.namespace, name)


def group_key(registrant: Registrant) -> ObjectKey:
    """The group that it says it is of."""
    return ObjectKey(Kind.WORKLOAD_GROUP, registrant.namespace, registrant.group)


def check_registrant(registrant: Registrant, group: Object | None, entry: Object | None, rules: Rules) -> None:
    """Refuse a proxy that may not be such a workload.

    Args:
        registrant: the proxy.
        group: its WorkloadGroup, if there is one.
        entry: its WorkloadEntry, if there is one already.
        rules: see there.

    Raises:
        RefusedError: the text is for the proxy's owner.
    """
    if not registrant.entry and group is None:
        raise RefusedError(
            Refusal.MISSING,
            f"there is no {group_key(registrant)}; create it, or name another one in ISTIO_META_AUTO_REGISTER_GROUP",
        )
    if registrant.entry and entry is None:
        raise RefusedError(
            Refusal.MISSING, f"there is no {entry_key(registrant)}; create it, or mend ISTIO_META_WORKLOAD_ENTRY"
        )
    if not rules.validate_identity:
        return
    if not registrant.identity_namespace:
        raise RefusedError(
            Refusal.FORBIDDEN,
            "registration of a WorkloadEntry wants a verified identity: a token or a certificate, at the secure port",
        )
    wanted = _account(entry.spec if registrant.entry and entry is not None else _template(group))
    for what, claimed, verified in (
        ("namespace", registrant.namespace, registrant.identity_namespace),
        ("service account", wanted, registrant.identity_account),
    ):
        if claimed and claimed != verified:
            raise RefusedError(Refusal.FORBIDDEN, f"the workload is of {what} {claimed!r}, the caller of {verified!r}")


def plan(presence: Presence, existing: Document | None, group: Object | None, rules: Rules, now: datetime) -> Step:
    """The next write for the entry of a proxy that is or was connected here.

    Args:
        presence: the proxy.
        existing: the entry as it was read just now; None: there is none.
        group: the WorkloadGroup, if there is one.
        rules: see there.
        now: the wall clock.
    """
    if presence.left_at is not None:
        return _plan_departure(presence.registrant, presence.left_at, existing, rules, now)
    registrant = presence.registrant
    if existing is None:
        if registrant.entry or group is None:
            return Settled()  # what somebody deletes stays deleted; a group that comes back is seen
        return Create(_connected(_fresh(registrant), presence, group, rules))
    connected_at = _instant(existing, CONNECTED_AT)
    if connected_at is not None and connected_at > registrant.connected_at:
        return Settled()  # it is connected to another replica now, and this stream only does not know yet
    wanted = _connected(existing, presence, group, rules)
    if wanted != existing:
        return Replace(wanted)
    if presence.report is not None:
        reported = _with_health(existing, presence.report)
        if reported is not None:
            return ReplaceStatus(reported)
    return Settled()


def _plan_departure(
    registrant: Registrant, left_at: datetime, existing: Document | None, rules: Rules, now: datetime
) -> Step:
    if existing is None or _annotations(existing).get(CONTROLLER) != rules.controller:
        return Settled(over=True)  # somebody else has it now
    if _instant(existing, CONNECTED_AT) == registrant.connected_at:
        return Replace(_annotated(existing, {CONNECTED_AT: None, DISCONNECTED_AT: _text(left_at)}))
    if _instant(existing, DISCONNECTED_AT) != left_at:
        return Settled(over=True)
    if now < left_at + rules.grace:
        return Settled(again_at=left_at + rules.grace)
    return _plan_end(existing)


def is_leaked(annotations: Mapping[str, str], rules: Rules, now: datetime) -> bool:
    """Whether nobody else will ever clean up an entry, with these annotations, of which this replica has no proxy.

    That is so when the replica that had it ended before its grace period did, and the proxy went elsewhere or nowhere.
    """
    left_at, connected_at = _parsed(annotations.get(DISCONNECTED_AT)), _parsed(annotations.get(CONNECTED_AT))
    if left_at is not None and left_at + rules.grace <= now:
        return True
    if connected_at is None:
        return False
    if rules.max_age is not None and connected_at + rules.max_age + rules.grace <= now:
        return True
    # We claim a stream that we do not have: this is a new life under an old name.
    return annotations.get(CONTROLLER) == rules.controller and connected_at + rules.grace <= now


def is_registered(entry: Object) -> bool:
    """Whether an entry has anything that is to be cleaned up when its proxy is gone."""
    return GROUP in entry.meta.annotations or (CONTROLLER in entry.meta.annotations and HEALTHY in entry.conditions)


def plan_leaked(existing: Document | None, rules: Rules, now: datetime) -> Step:
    """The next write for an entry that was found to be leaked, if it still is."""
    if existing is None or not is_leaked(_annotations(existing), rules, now):
        return Settled(over=True)
    return _plan_end(existing)


def _plan_end(existing: Document) -> Step:
    """Delete an entry of ours; forget what was said of the health of the user's own."""
    if GROUP in _annotations(existing):
        return Delete(existing)
    status = existing.get("status") or {}
    conditions = [item for item in status.get("conditions") or [] if item.get("type") != HEALTHY]
    if len(conditions) == len(status.get("conditions") or []):
        return Settled(over=True)
    return ReplaceStatus({**existing, "status": {**status, "conditions": conditions}})


# -- documents -----------------------------------------------------------------------------------------------------


def _template(group: Object | None) -> WorkloadEntry:
    spec: WorkloadGroup | None = group.spec if group is not None else None
    return (spec.template if spec is not None else None) or WorkloadEntry()


def _account(entry: WorkloadEntry) -> str:
    return entry.service_account


def _fresh(registrant: Registrant) -> Document:
    key = entry_key(registrant)
    metadata = {"name": key.name, "namespace": key.namespace, "annotations": {GROUP: registrant.group}}
    return {"apiVersion": _API, "kind": str(Kind.WORKLOAD_ENTRY), "metadata": metadata}


def _connected(existing: Document, presence: Presence, group: Object | None, rules: Rules) -> Document:
    """The entry as it should be while its proxy is connected here."""
    registrant = presence.registrant
    document = existing
    ours = not registrant.entry and _annotations(existing).get(GROUP) == registrant.group
    if ours and group is not None:
        document = _from_group(existing, registrant, group)
    checked = registrant.probed or presence.report is not None
    return _annotated(
        document,
        {
            CONTROLLER: rules.controller,
            CONNECTED_AT: _text(registrant.connected_at),
            DISCONNECTED_AT: None,
            # On entries of the user's own we only ever add it: there it may be the user's.
            **({HEALTH_CHECKED: "true"} if checked else {HEALTH_CHECKED: None} if ours else {}),
        },
    )


def _from_group(existing: Document, registrant: Registrant, group: Object) -> Document:
    """Made of the template, and of what the proxy says of itself."""
    template, metadata = _template(group), group.spec.metadata
    said = {name: value for name, value in registrant.labels if name not in (LOCALITY, LOCALITY_LEGACY)}
    labels = {**template.labels, **(metadata.labels if metadata else {}), **said}
    spec = {
        "address": registrant.address,
        "ports": dict(template.ports),
        "labels": labels,
        "network": registrant.network or template.network,
        "locality": registrant.locality or template.locality,
        "weight": template.weight,
        # With none, clients would have nobody to verify.
        "serviceAccount": template.service_account or registrant.identity_account,
    }
    owner = {
        "apiVersion": _API,
        "kind": str(Kind.WORKLOAD_GROUP),
        "name": group.name,
        "uid": group.meta.uid,
        "controller": True,
    }
    own = {
        **{name: value for name, value in existing["metadata"].items() if name != "labels"},
        **({"labels": labels} if labels else {}),  # an API server drops an empty map: it would differ for ever
        **({"ownerReferences": [owner]} if group.meta.uid else {}),  # only an API server gives identities
    }
    document = {**existing, "metadata": own, "spec": {name: value for name, value in spec.items() if value}}
    return _annotated(document, metadata.annotations if metadata else {})


def _annotations(document: Document) -> Mapping[str, str]:
    found: Mapping[str, str] = document["metadata"].get("annotations") or {}
    return found


def _annotated(document: Document, changes: Mapping[str, str | None]) -> Document:
    """With these annotations, and without those that are None."""
    merged = {**_annotations(document), **changes}
    annotations = {name: value for name, value in merged.items() if value is not None}
    if annotations == _annotations(document):
        return document
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


def _with_health(document: Document, report: Report) -> Document | None:
    """With the condition that the report stands for; None when it says that already."""
    status = document.get("status") or {}
    before = [item for item in status.get("conditions") or [] if isinstance(item, dict)]
    old = next((item for item in before if item.get("type") == HEALTHY), {})
    condition = {"type": HEALTHY, "status": "True" if report.failure is None else "False"}
    if report.failure:
        condition["message"] = report.failure
    if all(old.get(name, "") == condition.get(name, "") for name in ("status", "message")):
        return None
    since = old.get("lastTransitionTime") if old.get("status") == condition["status"] else None
    condition |= {"lastProbeTime": _text(report.at), "lastTransitionTime": since or _text(report.at)}
    others = [item for item in before if item.get("type") != HEALTHY]
    return {**document, "status": {**status, "conditions": [*others, condition]}}


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _instant(document: Document, annotation: str) -> datetime | None:
    return _parsed(_annotations(document).get(annotation))


def _parsed(text: str | None) -> datetime | None:
    """An instant; None for what is none. Go writes nanoseconds, of which microseconds are kept."""
    try:
        found = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return found if found.tzinfo is not None else None
