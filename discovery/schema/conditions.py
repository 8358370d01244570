"""Conditions in the status of an object, as the cluster has them: read apart from the spec, which they do not change.

Spec: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["Condition", "ObjectState", "read_state"]


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One condition.

    Attributes:
        status: `True`, `False` or `Unknown`.
        last_transition_time: when the status became what it is; RFC 3339.
    """

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int | str = 0  # Istio's API writes 64-bit numbers as texts


class ObjectState(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer of conditions must know of an object.

    Attributes:
        version: `resourceVersion`.
        conditions: all there are, also those that are somebody else's, as they are written.
    """

    uid: str = ""
    generation: int = 0
    version: str = ""
    conditions: tuple[dict[str, Any], ...] = ()


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    generation: int = 0
    resource_version: str = ""


class _Status(msgspec.Struct, frozen=True):
    conditions: tuple[dict[str, Any], ...] | None = None


class _Read(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    status: _Status | None = None


class _ReadMeta(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()


_DECODER: Final = msgspec.json.Decoder(_Read)
_META_DECODER: Final = msgspec.json.Decoder(_ReadMeta)


def read_state(data: bytes) -> ObjectState:
    """The state of an object from its JSON; a status that is not as the conventions want counts as none.

    Raises:
        msgspec.DecodeError: it is no object.
    """
    try:
        read = _DECODER.decode(data)
    except msgspec.ValidationError:
        meta, conditions = _META_DECODER.decode(data).metadata, None
    else:
        meta, conditions = read.metadata, read.status.conditions if read.status is not None else None
    return ObjectState(
        uid=meta.uid, generation=meta.generation, version=meta.resource_version, conditions=conditions or ()
    )
