"""What the relay reads of, and writes as, discovery messages, in both forms of the protocol.

Bytes pass through the agent untouched; this module opens only the few fields that tell whom a message is for, and
builds by hand the few requests that the agent makes itself. Field numbers are those of
``envoy/service/discovery/v3/discovery.proto``.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from discovery.wire.protowire import bytes_field, fields, string_field, uint_field

__all__ = [
    "ADS_SERVICE",
    "INTERNAL",
    "Form",
    "ResponseHead",
    "build_ack",
    "build_health",
    "build_nack",
    "build_subscription",
    "first_resource",
    "peek_request_type",
    "peek_response",
]

ADS_SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"

# google.rpc.Code: what a rejection by the agent carries.
INTERNAL: Final = 13


class _Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """Field numbers of one form; the two forms spread the same facts differently."""

    request_type: int
    request_nonce: int
    request_error: int
    request_version: int | None
    response_version: int
    response_resources: int = 2
    response_type: int = 4
    response_nonce: int = 5


class Form(Enum):
    """The two forms of the protocol, each with the RPC that speaks it."""

    SOTW = "StreamAggregatedResources"
    DELTA = "DeltaAggregatedResources"

    @property
    def rpc(self) -> str:
        """The RPC's name within ``ADS_SERVICE``."""
        return self.value


_NUMBERS: Final = {
    Form.SOTW: _Numbers(request_type=4, request_nonce=5, request_error=6, request_version=1, response_version=1),
    Form.DELTA: _Numbers(request_type=2, request_nonce=6, request_error=7, request_version=None, response_version=1),
}


class ResponseHead(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a response: what an answer to it must repeat."""

    type_url: str
    version: str
    nonce: str


def _text(value: int | memoryview, number: int) -> str:
    if isinstance(value, int):
        raise ValueError(f"malformed discovery message: field {number} is a number, want a string")
    return str(value, "utf-8")


def peek_request_type(form: Form, data: bytes) -> str:
    """The type URL a request is about; empty if it names none.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    wanted = _NUMBERS[form].request_type
    found = ""
    for number, value in fields(data):
        if number == wanted:
            found = _text(value, number)
    return found


def peek_response(form: Form, data: bytes) -> ResponseHead:
    """Type URL, version and nonce of a response; its resources are skipped, not read.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    numbers = _NUMBERS[form]
    found = {numbers.response_type: "", numbers.response_version: "", numbers.response_nonce: ""}
    for number, value in fields(data):
        if number in found:
            found[number] = _text(value, number)
    return ResponseHead(
        type_url=found[numbers.response_type],
        version=found[numbers.response_version],
        nonce=found[numbers.response_nonce],
    )


def first_resource(form: Form, data: bytes) -> bytes | None:
    """The payload of a response's first resource without its ``Any`` wrapping; None if it has no resource.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    entry = _first_message(data, _NUMBERS[form].response_resources)
    if entry is not None and form is Form.DELTA:
        entry = _first_message(entry, 2)  # Resource.resource; the entry may be without one
    if entry is None:
        return None
    return bytes(_first_message(entry, 2) or b"")  # Any.value; proto3 leaves an empty one out


def _first_message(data: bytes | memoryview, wanted: int) -> memoryview | None:
    for number, value in fields(data):
        if number == wanted and isinstance(value, memoryview):
            return value
    return None


def build_subscription(form: Form, type_url: str) -> bytes:
    """A first request for a type: no node (the stream's first request named it), no names, no nonce."""
    return string_field(_NUMBERS[form].request_type, type_url)


def build_ack(form: Form, head: ResponseHead) -> bytes:
    """The acceptance of a response."""
    numbers = _NUMBERS[form]
    version = string_field(numbers.request_version, head.version) if numbers.request_version else b""
    return version + string_field(numbers.request_type, head.type_url) + string_field(numbers.request_nonce, head.nonce)


def build_nack(form: Form, head: ResponseHead, message: str) -> bytes:
    """The rejection of a response: as an acceptance, with the reason and code INTERNAL."""
    return build_ack(form, head) + _error(form, message)


def build_health(form: Form, type_url: str, failure: str | None) -> bytes:
    """A workload's health: the bare type URL when healthy, with an error when not.

    Args:
        form: of the stream it goes to.
        type_url: that of the health information.
        failure: what the probe said; None when healthy.
    """
    return build_subscription(form, type_url) + (b"" if failure is None else _error(form, failure))


def _error(form: Form, message: str) -> bytes:
    status = uint_field(1, INTERNAL) + string_field(2, message)  # google.rpc.Status
    return bytes_field(_NUMBERS[form].request_error, status)
