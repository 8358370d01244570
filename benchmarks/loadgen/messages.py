"""Requests as bytes: the node a sidecar sends, and delta and state-of-the-world discovery requests.

Encoded by hand so that the generator needs no generated classes: names of a thousand resources are encoded once for all
streams that send them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

import msgspec

from discovery.wire.protowire import bytes_field, string_field, varint

__all__ = ["Json", "Sidecar", "delta_request", "encode_node", "encode_versions", "sotw_request"]

Json: TypeAlias = "str | bool | Mapping[str, Json]"

INVALID_ARGUMENT = 3


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """Who a stream says it is."""

    name: str
    ip: str
    namespace: str = "bench"
    cluster_id: str = "Kubernetes"
    domain: str = "cluster.local"
    istio_version: str = "1.28.0"
    interception_mode: str = "REDIRECT"
    labels: tuple[tuple[str, str], ...] = ()

    def node_id(self) -> str:
        """``sidecar~<ip>~<name>.<namespace>~<namespace>.svc.<domain>``."""
        return f"sidecar~{self.ip}~{self.name}.{self.namespace}~{self.namespace}.svc.{self.domain}"


def _struct(values: Mapping[str, Json]) -> bytes:
    """``google.protobuf.Struct`` of strings, booleans and nested objects."""
    return b"".join(
        bytes_field(1, string_field(1, key) + bytes_field(2, _value(value))) for key, value in values.items()
    )


def _value(value: Json) -> bytes:
    if isinstance(value, bool):
        return varint(4 << 3) + varint(int(value))
    if isinstance(value, str):
        return bytes_field(3, value.encode())
    return bytes_field(5, _struct(value))


def encode_node(sidecar: Sidecar) -> bytes:
    """``envoy.config.core.v3.Node`` with the metadata an injected sidecar sends.

    Goes before the first request of a stream as field 1 (delta) or 2 (state of the world).
    """
    metadata: dict[str, Json] = {
        "NAME": sidecar.name,
        "NAMESPACE": sidecar.namespace,
        "WORKLOAD_NAME": sidecar.name,
        "SERVICE_ACCOUNT": "default",
        "CLUSTER_ID": sidecar.cluster_id,
        "ISTIO_VERSION": sidecar.istio_version,
        "INSTANCE_IPS": sidecar.ip,
        "INTERCEPTION_MODE": sidecar.interception_mode,
        "LABELS": dict(sidecar.labels),
    }
    return (
        string_field(1, sidecar.node_id())
        + string_field(2, f"{sidecar.name}.{sidecar.namespace}")
        + bytes_field(3, _struct(metadata))
        + string_field(6, "envoy")
    )


@lru_cache(maxsize=512)
def _names(number: int, names: frozenset[str]) -> bytes:
    return b"".join(string_field(number, name) for name in sorted(names))


def encode_versions(versions: Mapping[str, str]) -> bytes:
    """The map ``initial_resource_versions``, ready for ``delta_request``."""
    return b"".join(
        bytes_field(5, string_field(1, name) + string_field(2, version)) for name, version in versions.items()
    )


def _status(message: str) -> bytes:
    """``google.rpc.Status{INVALID_ARGUMENT, message}``: why a response is rejected."""
    return varint(1 << 3) + varint(INVALID_ARGUMENT) + string_field(2, message)


def delta_request(
    type_url: str,
    *,
    nonce: str = "",
    error: str = "",
    subscribe: frozenset[str] = frozenset(),
    unsubscribe: frozenset[str] = frozenset(),
    versions: bytes = b"",
) -> bytes:
    """``DeltaDiscoveryRequest``; with ``nonce`` an ACK, with ``nonce`` and ``error`` a NACK."""
    return b"".join(
        (
            string_field(2, type_url),
            _names(3, subscribe),
            _names(4, unsubscribe),
            versions,
            string_field(6, nonce),
            bytes_field(7, _status(error)) if error else b"",
        )
    )


def sotw_request(
    type_url: str,
    *,
    nonce: str = "",
    error: str = "",
    version: str = "",
    names: frozenset[str] = frozenset(),
) -> bytes:
    """``DiscoveryRequest``: always the whole set of names wanted and the version last accepted."""
    return b"".join(
        (
            string_field(1, version),
            _names(3, names),
            string_field(4, type_url),
            string_field(5, nonce),
            bytes_field(6, _status(error)) if error else b"",
        )
    )
