"""Addresses for hosts that have none, so that a client that captures DNS can tell TCP services on one port apart.

The address follows from a hash of the declaring namespace and the host, so that every replica allocates alike and a
restart changes nothing; who came first keeps its address when two hashes meet. Slots and the rule for collisions are
those that users of Istio know, hence also its addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["Claim", "allocate"]

_SLOTS: Final = 256 * 254  # 240.240.0.1 to 240.240.254.254, without .0 and .255
_STEPS: Final = 65011  # the largest prime below
_UNUSABLE: Final = frozenset(range(254, _SLOTS, 255))  # their last byte would be 0
_OFFSET, _PRIME = 2166136261, 16777619  # FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/


class Claim(NamedTuple):
    """A host that wants an address; the namespace is that of the object that declares it."""

    namespace: str
    host: str


def allocate(claims: Iterable[Claim]) -> Mapping[str, tuple[str, str]]:
    """An IPv4 and an IPv6 address for each host. Claims come in the order of their age; the first one of a host counts.

    Claims beyond the 64 770 that there is room for get none.
    """
    taken: set[int] = set()
    found: dict[str, tuple[str, str]] = {}
    for claim in claims:
        if claim.host in found:
            continue
        if len(taken) >= _SLOTS - len(_UNUSABLE):
            break
        slot = _free_slot(_hash(claim), taken)
        taken.add(slot)
        found[claim.host] = _addresses(slot + 1)
    return found


def _free_slot(value: int, taken: set[int]) -> int:
    """The hash's own slot, else others at a stride of its own; there must be a free one."""
    stride = _STEPS - value % _STEPS
    for attempt in range(_SLOTS):
        slot = (value + attempt * stride) % _SLOTS
        if slot not in taken and slot not in _UNUSABLE:
            return slot
    # The stride may share a factor with the number of slots and so never meet the free ones.
    return next(slot for slot in range(_SLOTS) if slot not in taken and slot not in _UNUSABLE)


@lru_cache(maxsize=16384)
def _hash(claim: Claim) -> int:
    value = _OFFSET
    for byte in f"{claim.namespace}/{claim.host}".encode():
        value = (value ^ byte) * _PRIME & 0xFFFFFFFF
    return value


def _addresses(number: int) -> tuple[str, str]:
    third, fourth = divmod(number, 255)
    return f"240.240.{third}.{fourth}", f"2001:2::f0f0:{third << 8 | fourth:x}"
