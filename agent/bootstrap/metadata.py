"""Node metadata under Istio's keys: where each comes from, and how it reads as JSON.

Untyped sources (environment, ``proxyMetadata``) are laid over each other first; then every key with a known type is
checked and brought into its JSON form; unknown keys travel as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

__all__ = ["KINDS", "Kind", "MetadataError", "MetadataResult", "collect_raw", "typed"]

_PREFIX: Final = "ISTIO_META_"
_JSON_PREFIX: Final = "ISTIO_METAJSON_"
_LABELS_VARIABLE: Final = "ISTIO_METAJSON_LABELS"

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class MetadataError(ValueError):
    """A metadata key has a value of the wrong type; the text names the key and what was wanted."""


class Kind(StrEnum):
    """JSON forms of typed keys."""

    TEXT = "text"
    FLAG = "flag"  # the string "true"; false is left out
    NUMBER = "number"
    NAMES = "names"  # a list as one comma-joined string
    MAP = "map"  # an object of strings
    LIST = "list"
    OBJECT = "object"


def _keys(kind: Kind, names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), kind)


KINDS: Final[Mapping[str, Kind]] = {
    **_keys(
        Kind.TEXT,
        "ISTIO_VERSION ISTIO_REVISION ISTIO_PROXY_SHA NAME NAMESPACE SERVICE_ACCOUNT OWNER NODE_NAME WORKLOAD_NAME "
        "CLUSTER_ID MESH_ID NETWORK INTERCEPTION_MODE POD_PORTS IDLE_TIMEOUT HTTP10 HTTP_PROXY_PORT GENERATOR "
        "TLS_SERVER_CERT_CHAIN TLS_SERVER_KEY TLS_SERVER_ROOT_CERT TLS_CLIENT_CERT_CHAIN TLS_CLIENT_KEY "
        "TLS_CLIENT_ROOT_CERT BASE DNS_PROXY_ADDR AUTO_REGISTER_GROUP WORKLOAD_ENTRY UNPRIVILEGED_POD STS_PORT "
        "CLOUDRUN_ADDR WORKLOAD_IDENTITY_SOCKET_FILE OUTLIER_LOG_PATH",
    ),
    **_keys(
        Kind.FLAG,
        "ENABLE_SELF_DISCOVERY DNS_CAPTURE DNS_AUTO_ALLOCATE ENABLE_HBONE DISABLE_HBONE_SEND METADATA_DISCOVERY "
        "EXIT_ON_ZERO_ACTIVE_CONNECTIONS BOUND_UPSTREAM INBOUND_LISTENER_EXACT_BALANCE OUTBOUND_LISTENER_EXACT_BALANCE "
        "DNS_SRV ENVOY_SKIP_DEPRECATED_LOGS",
    ),
    **_keys(
        Kind.NUMBER,
        "ENVOY_STATUS_PORT ENVOY_PROMETHEUS_PORT ENVOY_SECURE_METRICS_PORT ENVOY_SECURE_MERGED_METRICS_PORT",
    ),
    **_keys(Kind.NAMES, "INSTANCE_IPS APP_CONTAINERS REQUESTED_NETWORK_VIEW"),
    **_keys(Kind.MAP, "LABELS STATIC_LABELS ANNOTATIONS PLATFORM_METADATA"),
    **_keys(Kind.LIST, "PILOT_SAN"),
    **_keys(Kind.OBJECT, "PROXY_CONFIG"),
}


class MetadataResult(msgspec.Struct, frozen=True):
    """Raw metadata and what could not be read on the way."""

    values: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def collect_raw(environ: Mapping[str, str], proxy_metadata: Mapping[str, str]) -> MetadataResult:
    """``proxyMetadata``, then ``ISTIO_META_*``, then the members of ``ISTIO_METAJSON_*`` laid flat over them.

    ``ISTIO_METAJSON_LABELS`` also gives ``LABELS`` and ``STATIC_LABELS``. JSON that cannot be read is skipped.
    """
    raw: dict[str, Any] = {}
    warnings: list[str] = []
    for source in (proxy_metadata, environ):
        raw.update((key.removeprefix(_PREFIX), source[key]) for key in sorted(source) if key.startswith(_PREFIX))
    for key in sorted(environ):
        if not key.startswith(_JSON_PREFIX):
            continue
        try:
            members = msgspec.json.decode(environ[key], type=dict[str, Any])
        except msgspec.MsgspecError as error:
            warnings.append(f"{key} is skipped: {error}; want a JSON object")
            continue
        raw.update(members)
        if key == _LABELS_VARIABLE:
            labels = {name: _text(value) for name, value in members.items()}
            raw["LABELS"], raw["STATIC_LABELS"] = dict(labels), dict(labels)
    return MetadataResult(raw, tuple(warnings))


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as JSON: typed keys in their form, empty ones left out, keys sorted.

    Raises:
        MetadataError: a typed key has a wrong value.
    """
    result: dict[str, Any] = {}
    for key in sorted(values):
        kind = KINDS.get(key)
        value = values[key] if kind is None else _FORMS[kind](key, values[key])
        if kind is None or value not in ("", [], {}, 0, None):
            result[key] = value
    return result


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _form_text(key: str, value: Any) -> str:
    if isinstance(value, dict | list):
        raise MetadataError(f"node metadata {key}: {value!r} is no text")
    return _text(value)


def _form_flag(key: str, value: Any) -> str:
    text = _text(value)
    if text in _TRUE:
        return "true"
    if text in _FALSE or not text:
        return ""
    raise MetadataError(f"node metadata {key}: {text!r} is no boolean, want true or false")


def _form_number(key: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise MetadataError(f"node metadata {key}: {value!r} is no number") from None


def _form_names(key: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return _form_text(key, value)


def _form_map(key: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise MetadataError(f"node metadata {key}: {value!r} is no object of texts")
    return {str(name): _text(value[name]) for name in sorted(value)}


def _form_list(key: str, value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    raise MetadataError(f"node metadata {key}: {value!r} is no list")


def _form_object(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise MetadataError(f"node metadata {key}: {value!r} is no object")


_FORMS: Final = {
    Kind.TEXT: _form_text,
    Kind.FLAG: _form_flag,
    Kind.NUMBER: _form_number,
    Kind.NAMES: _form_names,
    Kind.MAP: _form_map,
    Kind.LIST: _form_list,
    Kind.OBJECT: _form_object,
}
