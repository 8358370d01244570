"""Both kinds of request become one value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from discovery.wire.envoy import DeltaDiscoveryRequest, DiscoveryRequest, Node, serialize
from discovery.wire.protowire import bytes_field
from discovery.wire.type_urls import CLUSTER
from discovery.xds.delta import Delta
from discovery.xds.reports import Reports
from discovery.xds.request import ERROR_CHARS, Request, RequestError, parse_delta, parse_sotw

Parse = Callable[[bytes], tuple[Request, Node]]


def test_a_delta_request_is_read() -> None:
    """Names come as sets, versions as a mapping, the node apart."""
    raw = serialize(
        DeltaDiscoveryRequest(
            node={"id": "n"},
            type_url=CLUSTER,
            resource_names_subscribe=["a"],
            resource_names_unsubscribe=["b"],
            initial_resource_versions={"c": "1"},
            response_nonce="7",
        )
    )
    request, node = parse_delta(raw, Reports())
    assert (request.type_url, request.nonce, request.error, request.names) == (CLUSTER, "7", None, None)
    assert (request.subscribe, request.unsubscribe) == (frozenset("a"), frozenset("b"))
    assert request.known
    assert request.known.versions == {"c": "1"}
    assert node.id == "n"


def test_a_state_of_the_world_request_is_read() -> None:
    """The names are the whole subscription, also when there are none."""
    request, _ = parse_sotw(serialize(DiscoveryRequest(type_url=CLUSTER, response_nonce="7")))
    assert request.names == frozenset()


@pytest.mark.parametrize(("parse", "kind"), [(Delta().parse, DeltaDiscoveryRequest), (parse_sotw, DiscoveryRequest)])
def test_errors_are_bounded(parse: Parse, kind: type) -> None:
    """Envoy quotes whole resources in its errors."""
    message = kind(type_url=CLUSTER, error_detail={"message": "x" * 100_000})
    request, _ = parse(serialize(message))
    assert request.error == "x" * ERROR_CHARS


@pytest.mark.parametrize("parse", [Delta().parse, parse_sotw])
def test_other_bytes_are_refused(parse: Parse) -> None:
    """With an error of ours, not of the library's."""
    with pytest.raises(RequestError):
        parse(b"\xff\xff\xff")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x2a\x05\x0a\x03\xff\xfe\xfd",  # a name held that is no UTF-8
        b"\x2a\x02\x0a\x7f",  # an entry that ends too early
        b"\x0a\x02\x0a\x7f",  # a node that ends too early
        b"\x1a\x01\xff",  # a name asked for that is no UTF-8
    ],
)
def test_bad_parts_are_refused(raw: bytes) -> None:
    """What is read later, or apart from the rest, is refused like the rest, and each time."""
    delta = Delta()
    for _ in range(2):
        with pytest.raises(RequestError):
            delta.parse(raw)


def test_any_encoding_of_a_report_is_understood() -> None:
    """Also an entry whose value comes first, one without value, and one that says a thing twice."""
    raw = b"".join(
        bytes_field(5, entry) for entry in (b"\x12\x011\x0a\x01a", b"\x0a\x01b", b"\x0a\x01x\x0a\x01c\x12\x012")
    )
    request, _ = parse_delta(raw, Reports())
    assert request.known
    assert request.known.versions == dict(DeltaDiscoveryRequest.FromString(raw).initial_resource_versions)
    assert request.known.versions == {"a": "1", "b": "", "c": "2"}
