"""The received form of a delta request has the fields of the sent one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.wire.delta_request import ReceivedDeltaRequest
from discovery.wire.envoy import DeltaDiscoveryRequest, Node

text = st.text(max_size=4)


def test_field_numbers_are_those_of_envoy() -> None:
    """By name, and none is left out but those that are not read."""
    theirs = {field.name: field.number for field in DeltaDiscoveryRequest.DESCRIPTOR.fields}
    ours = {field.name: field.number for field in ReceivedDeltaRequest.DESCRIPTOR.fields}
    assert ours.items() <= theirs.items()
    assert theirs.keys() - ours.keys() <= {"resource_locators_subscribe", "resource_locators_unsubscribe"}


@given(text, st.lists(text), st.dictionaries(text, text), text)
def test_it_reads_what_was_written(node: str, names: list[str], versions: dict[str, str], error: str) -> None:
    """Texts as they are, the node and the entries of the map as bytes."""
    sent = DeltaDiscoveryRequest(
        node={"id": node},
        resource_names_subscribe=names,
        initial_resource_versions=versions,
        error_detail={"code": 3, "message": error},
    )
    received = ReceivedDeltaRequest.FromString(sent.SerializeToString())
    assert Node.FromString(received.node).id == node
    assert list(received.resource_names_subscribe) == names
    assert len(received.initial_resource_versions) == len(versions)
    assert received.error_detail.message == error
