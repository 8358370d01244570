"""The relay's decisions, and that no message is lost, reordered or waited for in a circle."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.xds_proxy.messages import Form, build_subscription
from agent.xds_proxy.relay import Consume, Deliver, Drop, Health, Relay
from discovery.wire import type_urls
from discovery.wire.envoy import DeltaDiscoveryRequest, DiscoveryRequest, serialize
from tests.kit.fake_istiod import delta_response, sotw_response

REQUESTS = {Form.SOTW: DiscoveryRequest, Form.DELTA: DeltaDiscoveryRequest}
RESPONSES = {Form.SOTW: sotw_response, Form.DELTA: delta_response}
CONSUMED = (type_urls.NAME_TABLE, type_urls.PROXY_CONFIG)

forms = pytest.mark.parametrize("form", list(Form))


def request(form: Form, type_url: str, nonce: str = "") -> bytes:
    return serialize(REQUESTS[form](type_url=type_url, response_nonce=nonce))


def types_of(form: Form, written: tuple[bytes, ...]) -> list[str]:
    return [REQUESTS[form].FromString(data).type_url for data in written]


@forms
def test_first_listener_request_pulls_the_agents_own(form: Form) -> None:
    """After the first LDS request come NDS, PCDS and the remembered health, once."""
    relay = Relay(form, consumed=CONSUMED, health=Health())
    assert types_of(form, relay.on_request(request(form, type_urls.CLUSTER))) == [type_urls.CLUSTER]
    assert types_of(form, relay.on_request(request(form, type_urls.LISTENER))) == [
        type_urls.LISTENER,
        *CONSUMED,
        type_urls.HEALTH_INFORMATION,
    ]
    assert types_of(form, relay.on_request(request(form, type_urls.LISTENER, "n1"))) == [type_urls.LISTENER]


@forms
def test_nothing_of_its_own_without_listeners(form: Form) -> None:
    """A client that never asks for listeners (proxyless gRPC) gets no request added, and health stays put."""
    relay = Relay(form, consumed=CONSUMED, health=Health())
    relay.on_request(request(form, type_urls.CLUSTER))
    relay.on_health(Health(failure="down"))
    assert len(relay.outbox) == 0


def test_unreadable_request_passes() -> None:
    """What Envoy sends is not ours to judge: it goes up even if we cannot read it."""
    assert Relay(Form.SOTW).on_request(b"\xff") == (b"\xff",)


@forms
@pytest.mark.parametrize(
    ("type_url", "verdict"),
    [
        (type_urls.CLUSTER, Deliver),
        (type_urls.EXTENSION_CONFIG, Deliver),
        (type_urls.PREFIX + "istio.workload.Workload", Deliver),
        (type_urls.NAME_TABLE, Consume),
        (type_urls.HEALTH_INFORMATION, Drop),
        ("istio.io/debug/syncz", Drop),
        ("", Drop),
    ],
)
def test_whom_a_response_is_for(form: Form, type_url: str, verdict: type) -> None:
    """Envoy's types go to Envoy, consumed ones to their intercept, all others nowhere."""
    relay = Relay(form, consumed=(type_urls.NAME_TABLE,))
    assert type(relay.on_response(RESPONSES[form](type_url, b"x").SerializeToString())) is verdict


@forms
def test_type_without_intercept_is_dropped(form: Form) -> None:
    """A name table for an agent without DNS proxy is dropped: Envoy would reject it."""
    verdict = Relay(form).on_response(RESPONSES[form](type_urls.NAME_TABLE, b"x").SerializeToString())
    assert isinstance(verdict, Drop)
    assert "NameTable" in verdict.reason


@forms
@pytest.mark.parametrize("failure", [None, "bad table"])
def test_consumed_response_is_answered(form: Form, failure: str | None) -> None:
    """The answer repeats the nonce and is an ACK or, with the intercept's reason, a NACK."""
    relay = Relay(form, consumed=CONSUMED)
    verdict = relay.on_response(RESPONSES[form](type_urls.NAME_TABLE, b"table", nonce="n9").SerializeToString())
    assert isinstance(verdict, Consume)
    assert verdict.resource == b"table"
    relay.answer(verdict, failure)
    reply = REQUESTS[form].FromString(relay.outbox.take())
    assert (reply.response_nonce, reply.error_detail.message) == ("n9", failure or "")


@forms
def test_consumed_response_without_resources_is_not_answered(form: Form) -> None:
    """Zero resources: neither ACK nor NACK."""
    relay = Relay(form, consumed=CONSUMED)
    verdict = relay.on_response(RESPONSES[form](type_urls.NAME_TABLE).SerializeToString())
    assert isinstance(verdict, Consume)
    assert verdict.resource is None
    relay.answer(verdict, None)
    assert relay.outbox.take() is None


class PipesMachine(RuleBasedStateMachine):
    """The pumps of a session over pipes that hold one message each, with peers that read whenever they like.

    The pumps are modelled step by step as ``session`` runs them; what is tested is the relay and its outbox.
    """

    @initialize(form=st.sampled_from(Form), healthy=st.booleans())
    def start(self, form: Form, *, healthy: bool) -> None:
        self.form = form
        self.relay = Relay(form, consumed=CONSUMED, health=Health() if healthy else None)
        self.health = "" if healthy else None
        self.introduced = False
        self.from_envoy: deque[bytes] = deque()
        self.from_istiod: deque[bytes] = deque()
        self.up: deque[bytes] = deque()  # holds at most one
        self.down: deque[bytes] = deque()  # holds at most one
        self.writing: deque[bytes] = deque()  # what the pump that holds the write lock still has to write
        self.sent: list[bytes] = []
        self.responded: list[bytes] = []
        self.owed: dict[str, str] = {}
        self.at_istiod: list[bytes] = []
        self.at_envoy: list[bytes] = []
        self.serial = 0

    @rule(type_url=st.sampled_from([type_urls.CLUSTER, type_urls.LISTENER, type_urls.ROUTE]))
    def envoy_asks(self, type_url: str) -> None:
        self.serial += 1
        data = request(self.form, type_url, f"e{self.serial}")
        self.from_envoy.append(data)
        self.sent.append(data)

    @rule(type_url=st.sampled_from([type_urls.CLUSTER, *CONSUMED, type_urls.HEALTH_INFORMATION]), empty=st.booleans())
    def istiod_answers(self, type_url: str, *, empty: bool) -> None:
        self.serial += 1
        payload = () if empty else (b"x",)
        nonce = f"i{self.serial}"
        data = RESPONSES[self.form](type_url, *payload, nonce=nonce).SerializeToString()
        self.from_istiod.append(data)
        if type_url == type_urls.CLUSTER:
            self.responded.append(data)
        elif type_url in CONSUMED and not empty:
            self.owed[type_url] = nonce

    @rule(failure=st.sampled_from(["", "down", "slow"]))
    def health_changes(self, failure: str) -> None:
        self.relay.on_health(Health(failure=failure or None))
        self.health = failure

    @precondition(lambda self: not self.writing and self.from_envoy)
    @rule()
    def requests_pump_takes_one(self) -> None:
        self.writing.extend(self.relay.on_request(self.from_envoy.popleft()))

    @precondition(lambda self: not self.writing and len(self.relay.outbox) > 0)
    @rule()
    def words_pump_takes_one(self) -> None:
        word = self.relay.outbox.take()
        assert word is not None
        self.writing.append(word)

    @precondition(lambda self: self.writing and not self.up)
    @rule()
    def writer_writes_one(self) -> None:
        self.up.append(self.writing.popleft())

    @precondition(lambda self: self.from_istiod and not self.down)
    @rule()
    def responses_pump_takes_one(self) -> None:
        data = self.from_istiod.popleft()
        verdict = self.relay.on_response(data)
        if isinstance(verdict, Deliver):
            self.down.append(data)
        elif isinstance(verdict, Consume):
            self.relay.answer(verdict, None)

    @precondition(lambda self: self.up)
    @rule()
    def istiod_reads(self) -> None:
        self.at_istiod.append(self.up.popleft())

    @precondition(lambda self: self.down)
    @rule()
    def envoy_reads(self) -> None:
        self.at_envoy.append(self.down.popleft())

    @invariant()
    def outbox_is_bounded(self) -> None:
        if hasattr(self, "relay"):
            assert len(self.relay.outbox) <= len(CONSUMED) + 1

    @invariant()
    def order_is_kept(self) -> None:
        if not hasattr(self, "relay"):
            return
        own = {*CONSUMED, type_urls.HEALTH_INFORMATION}
        arrived = [data for data in self.at_istiod if REQUESTS[self.form].FromString(data).type_url not in own]
        assert arrived == self.sent[: len(arrived)]
        assert self.at_envoy == self.responded[: len(self.at_envoy)]

    def teardown(self) -> None:
        """Responses drain while the control plane reads nothing; then all the rest does, and nothing is missing."""
        if not hasattr(self, "relay"):
            return
        while self.from_istiod or self.down:
            self.envoy_reads() if self.down else self.responses_pump_takes_one()
        assert self.at_envoy == self.responded
        while self.up or self.writing or self.from_envoy or len(self.relay.outbox):
            if self.up:
                self.istiod_reads()
            elif self.writing:
                self.writer_writes_one()
            elif self.from_envoy:
                self.requests_pump_takes_one()
            else:
                self.words_pump_takes_one()
        self.check_nothing_is_missing()

    def check_nothing_is_missing(self) -> None:
        decoded = [REQUESTS[self.form].FromString(data) for data in self.at_istiod]
        own = {*CONSUMED, type_urls.HEALTH_INFORMATION}
        assert [d for d, m in zip(self.at_istiod, decoded, strict=True) if m.type_url not in own] == self.sent
        for type_url, nonce in self.owed.items():
            assert [m.response_nonce for m in decoded if m.type_url == type_url and m.response_nonce][-1] == nonce
        asked = [m.type_url for m in decoded]
        if type_urls.LISTENER not in asked:
            assert type_urls.HEALTH_INFORMATION not in asked
            return
        after = asked[asked.index(type_urls.LISTENER) + 1 :]
        assert after[: len(CONSUMED)] == list(CONSUMED)
        assert self.at_istiod.count(build_subscription(self.form, CONSUMED[0])) == 1
        told = [m.error_detail.message for m in decoded if m.type_url == type_urls.HEALTH_INFORMATION]
        assert (told[-1] if told else None) == self.health


TestPipes = PipesMachine.TestCase
TestPipes.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
