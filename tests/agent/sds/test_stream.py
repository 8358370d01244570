"""What one SDS stream wants and gets."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.sds.names import Workload, WorkloadRoots, parse_secret_name
from agent.sds.stream import RequestError, SecretRequest, SecretStream, Verdict, parse_request
from discovery.wire import type_urls
from discovery.wire.envoy import DiscoveryRequest

NAMES = ("default", "ROOTCA", "file-root:/r", "other")


def first(*names: str) -> SecretRequest:
    return SecretRequest(node_id="sidecar~1", type_url=type_urls.SECRET, names=names)


def names_due(stream: SecretStream) -> list[str]:
    return [name for name, _ in stream.take_due()]


def opened(*names: str, nonce: str = "n1") -> SecretStream:
    """A stream whose first response is on its way."""
    stream = SecretStream()
    stream.on_request(first(*names))
    stream.take_due()
    stream.on_sent(nonce)
    return stream


def test_request_is_read_as_the_generated_class_writes_it() -> None:
    """Node, type, names, nonce and error of a request are found."""
    data = DiscoveryRequest(
        node={"id": "sidecar~1"},
        type_url=type_urls.SECRET,
        resource_names=["a", "b"],
        response_nonce="n",
        version_info="v",
        error_detail={"code": 3, "message": "bad key"},
    ).SerializeToString()
    assert parse_request(data) == SecretRequest(
        node_id="sidecar~1", type_url=type_urls.SECRET, names=("a", "b"), nonce="n", error="bad key"
    )


def test_error_without_text_is_still_an_error() -> None:
    """A NACK is told by the presence of its error, not by the text."""
    assert parse_request(DiscoveryRequest(error_detail={"code": 3}).SerializeToString()).error


@pytest.mark.parametrize("data", [b"\xff", b"\x10\x01", b"\x20\x01"])
def test_garbage_is_refused(data: bytes) -> None:
    """What is no request is refused with a reason."""
    with pytest.raises(RequestError, match="malformed"):
        parse_request(data)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (SecretRequest(names=("default",)), "missing node information"),
        (SecretRequest(node_id="n", type_url=type_urls.CLUSTER), "is not served here"),
        (first("file-cert:/only"), "want file-cert:"),
    ],
)
def test_refused_requests_change_nothing(request_: SecretRequest, reason: str) -> None:
    """A request that breaks the rules is refused, and the stream is as before."""
    stream = SecretStream()
    with pytest.raises(RequestError, match=reason):
        stream.on_request(request_)
    assert (stream.watched, stream.node_id, stream.due) == ((), "", False)


def test_later_requests_may_omit_the_node() -> None:
    """The node is known from the first request on."""
    stream = opened("default")
    assert stream.on_request(SecretRequest(names=("default",), nonce="n1")) is Verdict.ACK


def test_ack_wants_nothing() -> None:
    """An acknowledgement is not answered."""
    stream = opened("default")
    stream.on_request(SecretRequest(names=("default",), nonce="n1"))
    assert not stream.due


def test_nack_wants_nothing() -> None:
    """What was rejected is not sent again until it changes."""
    stream = opened("default")
    verdict = stream.on_request(SecretRequest(names=("default",), nonce="n1", error="bad"))
    assert (verdict, stream.due) == (Verdict.NACK, False)
    stream.on_update(Workload())
    assert names_due(stream) == ["default"]


def test_only_added_names_are_due() -> None:
    """Adding a name asks for that name alone."""
    stream = opened("default")
    stream.on_request(SecretRequest(names=("default", "ROOTCA"), nonce="n1"))
    assert names_due(stream) == ["ROOTCA"]


def test_unsubscribed_names_get_no_updates() -> None:
    """Dropping a name is not answered, and its updates stop."""
    stream = opened("default", "ROOTCA")
    stream.on_request(SecretRequest(names=("default",), nonce="n1"))
    stream.on_update(WorkloadRoots())
    assert not stream.due


def test_stale_nonce_is_ignored() -> None:
    """An answer to an older response changes nothing: the answer to the newer one will say it again."""
    stream = opened("default")
    stream.on_sent("n2")
    assert stream.on_request(SecretRequest(names=("default", "ROOTCA"), nonce="n1")) is Verdict.STALE
    assert stream.watched == ("default",)


def test_update_reaches_every_name_of_the_source() -> None:
    """Unknown names stand for the workload's certificate and are renewed with it."""
    stream = opened("default", "other", "ROOTCA")
    stream.on_update(Workload())
    assert names_due(stream) == ["default", "other"]


class StreamMachine(RuleBasedStateMachine):
    """A client that adds, drops, acknowledges and rejects, against updates at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = SecretStream()
        self.values = {parse_secret_name(name): 0 for name in NAMES}
        self.held: dict[str, int] = {}  # what the client has
        self.wanted: tuple[str, ...] = ()
        self.nonce = ""
        self.sent = 0

    @rule(names=st.lists(st.sampled_from(NAMES), unique=True), error=st.sampled_from([None, "bad"]))
    def client_asks(self, names: list[str], error: str | None) -> None:
        dropped = set(self.wanted) - set(names)
        self.held = {name: value for name, value in self.held.items() if name not in dropped}
        self.wanted = tuple(names)
        self.stream.on_request(SecretRequest(node_id="n", names=self.wanted, nonce=self.nonce, error=error))

    @rule(name=st.sampled_from(NAMES))
    def source_changes(self, name: str) -> None:
        source = parse_secret_name(name)
        self.values[source] += 1
        self.stream.on_update(source)

    @rule()
    def server_sends(self) -> None:
        due = self.stream.take_due()
        if due:
            self.sent += 1
            self.nonce = f"n{self.sent}"
            self.stream.on_sent(self.nonce)
            self.held.update((name, self.values[source]) for name, source in due)

    @invariant()
    def due_is_bounded_by_what_is_watched(self) -> None:
        assert set(self.stream._due) <= set(self.stream.watched)

    def teardown(self) -> None:
        self.server_sends()
        assert self.held == {name: self.values[parse_secret_name(name)] for name in self.wanted}


TestStream = StreamMachine.TestCase
TestStream.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
