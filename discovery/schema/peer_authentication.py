"""PeerAuthentication: whether workloads ask their callers for mutual TLS.

Spec: https://istio.io/latest/docs/reference/config/security/peer_authentication/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from discovery.schema.message import Message, ProtoEnum
from discovery.schema.selector import PolicySelector

__all__ = ["MutualTLS", "MutualTLSMode", "PeerAuthentication"]


class MutualTLSMode(ProtoEnum):
    """UNSET inherits from the next wider policy."""

    UNSET = "UNSET"
    DISABLE = "DISABLE"
    PERMISSIVE = "PERMISSIVE"
    STRICT = "STRICT"


class MutualTLS(Message, frozen=True, kw_only=True):
    """The mutual TLS setting of a policy or of a port."""

    mode: MutualTLSMode = MutualTLSMode.UNSET


class PeerAuthentication(Message, frozen=True, kw_only=True):
    """Mutual TLS of the selected workloads; ``port_level_mtls`` is by workload port number."""

    selector: PolicySelector | None = None
    mtls: MutualTLS | None = None
    port_level_mtls: Annotated[Mapping[int, MutualTLS], msgspec.Meta(min_length=1)] = {}
