"""Both kinds of request become one value."""

from __future__ import annotations

import pytest

from discovery.wire.envoy import DeltaDiscoveryRequest, DiscoveryRequest, serialize
from discovery.wire.type_urls import CLUSTER
from discovery.xds.request import ERROR_CHARS, RequestError, parse_delta, parse_sotw


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
    request, node = parse_delta(raw)
    assert (request.type_url, request.nonce, request.error, request.names) == (CLUSTER, "7", None, None)
    assert (request.subscribe, request.unsubscribe, dict(request.known)) == (frozenset("a"), frozenset("b"), {"c": "1"})
    assert node.id == "n"


def test_a_state_of_the_world_request_is_read() -> None:
    """The names are the whole subscription, also when there are none."""
    request, _ = parse_sotw(serialize(DiscoveryRequest(type_url=CLUSTER, response_nonce="7")))
    assert request.names == frozenset()


@pytest.mark.parametrize(("parse", "kind"), [(parse_delta, DeltaDiscoveryRequest), (parse_sotw, DiscoveryRequest)])
def test_errors_are_bounded(parse: type, kind: type) -> None:
    """Envoy quotes whole resources in its errors."""
    message = kind(type_url=CLUSTER, error_detail={"message": "x" * 100_000})
    request, _ = parse_delta(serialize(message)) if kind is DeltaDiscoveryRequest else parse_sotw(serialize(message))
    assert request.error == "x" * ERROR_CHARS


@pytest.mark.parametrize("parse", [parse_delta, parse_sotw])
def test_other_bytes_are_refused(parse: type) -> None:
    """With an error of ours, not of the library's."""
    with pytest.raises(RequestError):
        parse(b"\xff\xff\xff")
