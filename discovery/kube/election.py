"""Who of several replicas may write: the decisions of a lease election, without I/O.

A Lease is one object that the API server changes one write at a time. Its holder renews it; a candidate that has not
seen it change for most of its duration takes it over, by a write that the server refuses if it changed after all.

Instants in the record are for people: clocks of machines differ. What counts is when *this* process saw the record
change, on its own monotonic clock. So a candidate always counts from later than the holder does, and the holder stops
well before any candidate may begin:

    0      renew     keep              seize       duration
    |--------|---------|-----------------|------------|
             writes go out               another may write
                       margin: clocks that run at different rates, writes still on their way

A candidate looks so often that from the death of a holder to its successor it takes less than the duration.

Spec: https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

__all__ = ["Create", "Election", "LeaseRecord", "LeaseTimes", "Look", "Renew", "Wait", "decode_lease", "encode_lease"]

_RENEW: Final = 0.2  # parts of the duration
_KEEP: Final = 0.6
_SEIZE: Final = 0.8
_LOOK: Final = 0.12
_RELEASED_S: Final = 1  # the duration that client-go writes too when it lets go


class LeaseTimes(msgspec.Struct, frozen=True, kw_only=True):
    """The rhythm of an election.

    Attributes:
        lease_s: the duration that is written into the record; whole seconds, at least 1.
    """

    lease_s: int = 15

    @property
    def renew_s(self) -> float:
        """The holder renews this often, and tries again after a third of it."""
        return self.lease_s * _RENEW

    @property
    def keep_s(self) -> float:
        """The holder writes no longer than this after it began the last renewal that succeeded."""
        return self.lease_s * _KEEP

    @property
    def look_s(self) -> float:
        """A candidate looks this often."""
        return self.lease_s * _LOOK

    @property
    def timeout_s(self) -> float:
        """A request of the election takes no longer than this."""
        return self.lease_s * _RENEW


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The Lease as it was read or is to be written.

    Attributes:
        holder: who holds it; empty when it was let go.
        duration_s: how long after its last change others leave it alone.
        acquired_at: for people.
        renewed_at: for people.
        transitions: how often it went from one holder to another.
        version: its `resourceVersion`; empty on a record that is to be created.
    """

    holder: str
    duration_s: int
    acquired_at: datetime
    renewed_at: datetime
    transitions: int = 0
    version: str = ""


class Look(NamedTuple):
    """Read the record, and tell by `observed`."""


class Create(NamedTuple):
    """Write a record where there is none."""

    record: LeaseRecord


class Renew(NamedTuple):
    """Replace the record, on condition that it still has this version."""

    record: LeaseRecord


class Wait(NamedTuple):
    """Nothing to do before this instant, on our monotonic clock."""

    until: float


class Election:
    """One candidate. Instants are monotonic seconds of its own; the caller carries out what `next_step` says.

    Args:
        identity: unlike any other candidate's, also unlike that of this replica's earlier lives.
    """

    def __init__(self, identity: str, times: LeaseTimes) -> None:
        self.identity = identity
        self._times = times
        self._seen: LeaseRecord | None = None
        self._seen_at = 0.0
        self._look_at = float("-inf")  # at once
        self._pause_until = float("-inf")
        self._renew_at = 0.0
        self._valid_until: float | None = None

    @property
    def seen(self) -> LeaseRecord | None:
        """The record as last seen; None: there is none, or nobody has looked."""
        return self._seen

    def valid_until(self, now: float) -> float | None:
        """Until when this candidate may write unless it renews; None: it may not."""
        return self._valid_until if self._valid_until is not None and now < self._valid_until else None

    def next_step(self, now: float, wall: datetime) -> Look | Create | Renew | Wait:
        """What to do now."""
        if now < self._pause_until:
            return Wait(self._pause_until)
        if now >= self._look_at:
            return Look()
        due_at = self._due_at(self._seen)
        if now < due_at:
            return Wait(min(due_at, self._look_at))
        record = self._record(wall)
        return Renew(record) if record.version else Create(record)

    def observed(self, record: LeaseRecord | None, *, at: float) -> None:
        """The record was read; None: there is none.

        Args:
            at: when the answer was here: by then the holder had long begun to count.
        """
        if record is None:
            # Somebody deleted it, but its holder need not know yet: it is left alone as if it were still there.
            self._seen = self._seen and msgspec.structs.replace(self._seen, version="")
        elif self._seen is None or record.version != self._seen.version:
            # Any change counts as a sign of life, be it of a label: an election errs on the side of the holder.
            self._seen, self._seen_at = record, at
        if record is None or record.holder != self.identity:
            self._valid_until = None
        self._look_at = at + self._times.look_s

    def written(self, record: LeaseRecord, *, began: float) -> None:
        """Our record is in place.

        Args:
            record: as the server returned it.
            began: when the request was begun: no candidate has seen the record before that.
        """
        self._seen, self._seen_at = record, began
        self._valid_until = began + self._times.keep_s
        self._renew_at = began + self._times.renew_s
        self._look_at = float("inf")  # a holder sees by its own writes whether it still is one

    def refused(self) -> None:
        """The record is not what we took it for: another writer was there."""
        self._look_at = float("-inf")

    def failed(self, now: float) -> None:
        """No answer: our write may be in place or not, so look again, but not at once."""
        self._look_at = self._pause_until = now + self._times.renew_s / 3

    def resign(self, found: LeaseRecord | None, wall: datetime) -> LeaseRecord | None:
        """Stop writing at once; the record that tells others so, None where there is nothing to let go.

        Args:
            found: as it was read just now: a renewal that was cut short may have changed it.
        """
        self._valid_until = None
        if found is None or found.holder != self.identity:
            return None
        return msgspec.structs.replace(found, holder="", duration_s=_RELEASED_S, renewed_at=wall)

    def _due_at(self, seen: LeaseRecord | None) -> float:
        """When to write our record."""
        if seen is None:
            return float("-inf")
        if seen.holder == self.identity:
            return self._renew_at if seen.version else self._seen_at
        if not seen.holder:
            return self._seen_at
        return self._seen_at + (seen.duration_s or self._times.lease_s) * _SEIZE

    def _record(self, wall: datetime) -> LeaseRecord:
        seen = self._seen
        ours = seen is not None and seen.holder == self.identity
        return LeaseRecord(
            holder=self.identity,
            duration_s=self._times.lease_s,
            acquired_at=seen.acquired_at if ours and seen is not None else wall,
            renewed_at=wall,
            transitions=0 if seen is None else seen.transitions + (not ours),
            version="" if seen is None else seen.version,
        )


# -- the object --------------------------------------------------------------------------------------------------------


class _Spec(msgspec.Struct, rename="camel", kw_only=True):
    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: datetime | None = None
    renew_time: datetime | None = None
    lease_transitions: int = 0


class _Meta(msgspec.Struct, rename="camel", kw_only=True):
    resource_version: str = ""


class _Lease(msgspec.Struct, kw_only=True):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: _Spec = msgspec.field(default_factory=_Spec)


_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def decode_lease(data: bytes) -> LeaseRecord:
    """The record of a `coordination.k8s.io/v1` Lease; what is not set counts as let go.

    Raises:
        msgspec.DecodeError: it is none.
    """
    lease = msgspec.json.decode(data, type=_Lease)
    spec = lease.spec
    return LeaseRecord(
        holder=spec.holder_identity,
        duration_s=spec.lease_duration_seconds,
        acquired_at=spec.acquire_time or _NEVER,
        renewed_at=spec.renew_time or _NEVER,
        transitions=spec.lease_transitions,
        version=lease.metadata.resource_version,
    )


def encode_lease(record: LeaseRecord, *, namespace: str, name: str) -> bytes:
    """The Lease to write; its version, if it has one, is the condition of the write."""
    metadata = {"namespace": namespace, "name": name}
    if record.version:
        metadata["resourceVersion"] = record.version
    spec = {
        "holderIdentity": record.holder,
        "leaseDurationSeconds": record.duration_s,
        "acquireTime": _micro_time(record.acquired_at),
        "renewTime": _micro_time(record.renewed_at),
        "leaseTransitions": record.transitions,
    }
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    return msgspec.json.encode(body)


def _micro_time(instant: datetime) -> str:
    """Kubernetes' MicroTime: always six digits, which `isoformat` leaves out when they are zero."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
