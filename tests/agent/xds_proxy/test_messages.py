"""What is peeked and built by hand agrees with the generated classes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.xds_proxy.messages import (
    Form,
    ResponseHead,
    build_ack,
    build_health,
    build_nack,
    build_subscription,
    first_resource,
    peek_request_type,
    peek_response,
)
from discovery.wire import type_urls
from discovery.wire.envoy import DeltaDiscoveryRequest, DiscoveryRequest
from tests.kit.fake_istiod import delta_response, sotw_response

REQUESTS = {Form.SOTW: DiscoveryRequest, Form.DELTA: DeltaDiscoveryRequest}
RESPONSES = {Form.SOTW: sotw_response, Form.DELTA: delta_response}

forms = pytest.mark.parametrize("form", list(Form))
texts = st.text(max_size=40)


@given(form=st.sampled_from(Form), type_url=texts, names=st.lists(texts, max_size=5), nonce=texts)
def test_request_type_is_found_among_other_fields(form: Form, type_url: str, names: list[str], nonce: str) -> None:
    """Whatever else a request holds, its type URL is what the generated class reads."""
    if form is Form.SOTW:
        request = DiscoveryRequest(type_url=type_url, resource_names=names, response_nonce=nonce, version_info=nonce)
    else:
        request = DeltaDiscoveryRequest(
            type_url=type_url,
            resource_names_subscribe=names,
            response_nonce=nonce,
            initial_resource_versions=dict.fromkeys(names, nonce),
        )
    assert peek_request_type(form, request.SerializeToString()) == type_url


@given(form=st.sampled_from(Form), type_url=texts, payloads=st.lists(st.binary(max_size=30), max_size=4), word=texts)
def test_response_head_and_first_resource_are_found(
    form: Form, type_url: str, payloads: list[bytes], word: str
) -> None:
    """Head and first payload of a response are what was put in; only the first resource is opened."""
    data = RESPONSES[form](type_url, *payloads, version=word, nonce=word + "!").SerializeToString()
    assert peek_response(form, data) == ResponseHead(type_url=type_url, version=word, nonce=word + "!")
    assert first_resource(form, data) == (payloads[0] if payloads else None)


@forms
def test_subscription_is_bare(form: Form) -> None:
    """A request of the agent's own has the type URL and nothing else: no node, no names, no nonce."""
    built = REQUESTS[form].FromString(build_subscription(form, type_urls.NAME_TABLE))
    assert built == REQUESTS[form](type_url=type_urls.NAME_TABLE)


@forms
def test_ack_repeats_the_head(form: Form) -> None:
    """An ACK carries type and nonce; the version only in state-of-the-world form, which has a field for it."""
    head = ResponseHead(type_url=type_urls.NAME_TABLE, version="7", nonce="n7")
    built = REQUESTS[form].FromString(build_ack(form, head))
    version = {"version_info": "7"} if form is Form.SOTW else {}
    assert built == REQUESTS[form](type_url=type_urls.NAME_TABLE, response_nonce="n7", **version)


@forms
def test_nack_adds_the_reason(form: Form) -> None:
    """A NACK is an ACK with code 13 and the reason."""
    head = ResponseHead(type_url=type_urls.NAME_TABLE, version="7", nonce="n7")
    built = REQUESTS[form].FromString(build_nack(form, head, "broken table"))
    assert (built.error_detail.code, built.error_detail.message) == (13, "broken table")
    assert (built.type_url, built.response_nonce) == (type_urls.NAME_TABLE, "n7")


@forms
@pytest.mark.parametrize("failure", [None, "connection refused"])
def test_health_on_the_wire(form: Form, failure: str | None) -> None:
    """Healthy is the bare type URL; unhealthy adds code 13 and the probe's message."""
    built = REQUESTS[form].FromString(build_health(form, type_urls.HEALTH_INFORMATION, failure))
    assert built.type_url == type_urls.HEALTH_INFORMATION
    assert built.HasField("error_detail") == (failure is not None)
    assert built.error_detail.message == (failure or "")


@forms
def test_garbage_is_an_error(form: Form) -> None:
    """Bytes that are no protobuf message are told apart from an empty message."""
    with pytest.raises(ValueError, match="protobuf"):
        peek_response(form, b"\xff\xff\xff")
    assert peek_request_type(form, b"") == ""


def test_number_in_place_of_a_string_is_an_error() -> None:
    """A type URL field that holds a varint is refused, not turned into text."""
    with pytest.raises(ValueError, match="want a string"):
        peek_request_type(Form.SOTW, b"\x20\x01")
