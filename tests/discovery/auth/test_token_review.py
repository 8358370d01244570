from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from discovery.auth.caller import Caller, CallerKind, Credentials, Listener, PodReference
from discovery.auth.errors import UnauthenticatedError, UndecidedError
from discovery.auth.jwks import encode_base64url
from discovery.auth.token_review import ReviewMetrics, ReviewSettings, TokenReviewAuthenticator
from discovery.kube.errors import ForbiddenError, UnreachableError
from discovery.runtime.clock import SystemClock
from tests.kit.certs import NOW, TRUST_DOMAIN, spiffe
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import client_of
from tests.kit.kube_cluster import pod

SETTINGS = ReviewSettings(trust_domain=TRUST_DOMAIN, cluster_ids=frozenset({"Kubernetes"}), timeout_s=0.2)
DEEP = b'{"x":%s}' % (b"[" * 4000 + b"]" * 4000)
REVIEWS = CALLER = Caller(kind=CallerKind.TOKEN, identities=(spiffe(),))


def token(aud: object = ("istio-ca",), *, exp: datetime | None = NOW + timedelta(hours=1), name: str = "") -> str:
    """What looks like a token; nobody but an API server verifies more than that."""
    claims: dict[str, object] = {"aud": aud, "sub": name}
    if exp is not None:
        claims["exp"] = exp.timestamp()
    return ".".join([*(encode_base64url(msgspec.json.encode(part)) for part in ({"alg": "RS256"}, claims)), "c2ln"])


def status(**changes: object) -> dict[str, Any]:
    return {
        "authenticated": True,
        "user": {"username": "system:serviceaccount:shop:reviews", "groups": ["system:serviceaccounts"]},
        "audiences": ["istio-ca"],
        **changes,
    }


class ApiServer:
    """Answers reviews by `answer`; writes down what it was asked."""

    def __init__(self, answer: dict[str, Any] | Exception | None = None) -> None:
        self.answer = status() if answer is None else answer
        self.asked: list[dict[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def create(self, path: str, body: bytes) -> bytes:
        assert path == "/apis/authentication.k8s.io/v1/tokenreviews"
        review = msgspec.json.decode(body)
        assert (review["apiVersion"], review["kind"]) == ("authentication.k8s.io/v1", "TokenReview")
        self.asked.append(review["spec"])
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return msgspec.json.encode({**review, "status": self.answer})


def authenticator(
    server: ApiServer,
    clock: FakeClock | None = None,
    registry: CollectorRegistry | None = None,
    settings: ReviewSettings = SETTINGS,
) -> TokenReviewAuthenticator:
    clock = clock or FakeClock(NOW)
    return TokenReviewAuthenticator(server, settings, clock=clock, metrics=ReviewMetrics(registry))


def shown(text: str, *more: tuple[str, str]) -> Credentials:
    return Credentials.read(Listener.FRONT, "peer", [("authorization", f"Bearer {text}"), *more])


async def test_token_is_its_service_account() -> None:
    """The API server is asked for our audience, and its word counts."""
    server = ApiServer()
    assert await authenticator(server).authenticate(shown(token())) == CALLER
    assert server.asked == [{"token": token(), "audiences": ["istio-ca"]}]


async def test_pod_and_node_are_kept() -> None:
    """Tokens that kubelets project are bound to a pod."""
    extra = {
        "authentication.kubernetes.io/pod-name": ["reviews-1"],
        "authentication.kubernetes.io/pod-uid": ["u1"],
        "authentication.kubernetes.io/node-name": ["n1"],
    }
    server = ApiServer(status(user={"username": "system:serviceaccount:shop:reviews", "extra": extra}))
    caller = await authenticator(server).authenticate(shown(token()))
    assert caller is not None
    assert caller.pod == PodReference(namespace="shop", name="reviews-1", uid="u1", node="n1")


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer"])
async def test_no_bearer_is_no_token(header: str) -> None:
    """Other proofs are somebody else's business; nobody is asked."""
    server = ApiServer()
    credentials = Credentials.read(Listener.FRONT, "peer", [("authorization", header)])
    assert await authenticator(server).authenticate(credentials) is None
    assert server.asked == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("abc", "1 parts"),
        ("a.b!.c", "not base64url"),
        ("a.W10.c", "not base64url of JSON"),
        (token(exp=NOW), "expired"),
        (token(()), "no audience"),
        ("x" * 20_000, "20000 characters"),
        (f"a.{encode_base64url(DEEP)}.c", "not base64url of JSON"),
    ],
    ids=["no JWT", "no base64", "no claims", "expired", "legacy", "long", "deep"],
)
async def test_what_cannot_be_good_is_not_asked_about(text: str, says: str) -> None:
    """A stranger's nonsense costs the API server nothing."""
    server = ApiServer()
    with pytest.raises(UnauthenticatedError, match=says):
        await authenticator(server).authenticate(shown(text))
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"authenticated": False, "error": "signature is invalid"}, "signature is invalid"),
        ({}, "no reason given"),
        (status(audiences=["https://kubernetes.default.svc"]), "is for https://kubernetes.default.svc, want istio-ca"),
        (status(audiences=[]), "nobody in particular"),
        (status(user={"username": "kubernetes-admin"}), "kubernetes-admin"),
        (status(user={"username": "system:serviceaccount:shop"}), "system:serviceaccount"),
        (status(user={"username": "system:serviceaccount:shop:a/b"}), "service account"),
    ],
    ids=["refused", "empty", "other audience", "no audience", "person", "half an account", "no SPIFFE"],
)
async def test_what_the_api_server_does_not_vouch_for_is_refused(answer: dict[str, Any], says: str) -> None:
    """The reason is for our log."""
    with pytest.raises(UnauthenticatedError, match=says):
        await authenticator(ApiServer(answer)).authenticate(shown(token()))


async def test_token_without_audience_is_reviewed_where_that_is_allowed() -> None:
    """No audience is asked for: the API server would say that it is not meant for us."""
    server = ApiServer(status(audiences=["https://kubernetes.default.svc"]))
    settings = msgspec.structs.replace(SETTINGS, require_audience=False)
    old = authenticator(server, settings=settings)
    assert await old.authenticate(shown(token((), exp=None))) == CALLER
    assert server.asked == [{"token": token((), exp=None)}]
    with pytest.raises(UnauthenticatedError, match="want istio-ca"):  # one with an audience must still have ours
        await old.authenticate(shown(token("other")))


async def test_agents_of_other_clusters_are_refused() -> None:
    """Their tokens mean nothing to our API server."""
    server = ApiServer()
    auth = authenticator(server)
    assert await auth.authenticate(shown(token(), ("clusterid", "Kubernetes"))) == CALLER
    with pytest.raises(UnauthenticatedError, match="cluster 'east', known are Kubernetes"):
        await auth.authenticate(shown(token(), ("clusterid", "east")))


async def test_answers_are_remembered_while_the_token_lives() -> None:
    """One question per token and minute."""
    clock, server, registry = FakeClock(NOW), ApiServer(), CollectorRegistry()
    auth = authenticator(server, clock, registry)
    short = token(exp=NOW + timedelta(seconds=30))
    for _ in range(3):
        await auth.authenticate(shown(short))
    assert len(server.asked) == 1
    assert registry.get_sample_value("pilot_token_reviews_total", {"result": "cached"}) == 2
    assert registry.get_sample_value("pilot_token_reviews_total", {"result": "accepted"}) == 1
    clock.advance(30)
    with pytest.raises(UnauthenticatedError, match="expired"):
        await auth.authenticate(shown(short))


async def test_refusals_are_remembered_for_seconds() -> None:
    """A pod whose account was made a moment too late is let in soon."""
    clock, server = FakeClock(NOW), ApiServer({"authenticated": False})
    auth = authenticator(server, clock)
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await auth.authenticate(shown(token()))
    assert len(server.asked) == 1
    clock.advance(5)
    server.answer = status()
    assert await auth.authenticate(shown(token())) == CALLER


async def test_same_token_at_the_same_time_is_one_question() -> None:
    """A fleet that reconnects over many streams asks once per token."""
    server = ApiServer()
    auth = authenticator(server)
    server.gate.clear()
    async with asyncio.TaskGroup() as group:
        same = [group.create_task(auth.authenticate(shown(token()))) for _ in range(10)]
        other = group.create_task(auth.authenticate(shown(token(name="other"))))
        await eventually(lambda: len(server.asked) == 2)
        server.gate.set()
    assert {task.result() for task in (*same, other)} == {CALLER}
    assert len(server.asked) == 2


async def test_caller_that_goes_away_leaves_the_question_to_others() -> None:
    """A stream cut off while its token was reviewed must not fail those that waited with it."""
    server = ApiServer()
    auth = authenticator(server)
    server.gate.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(auth.authenticate(shown(token())))
        await eventually(lambda: len(server.asked) == 1)
        others = [group.create_task(auth.authenticate(shown(token()))) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        await eventually(lambda: len(server.asked) == 2)
        server.gate.set()
    assert [task.result() for task in others] == [CALLER] * 3
    assert len(server.asked) == 2


async def test_waiting_caller_that_goes_away_disturbs_nobody() -> None:
    """Neither who asked nor who else waits."""
    server = ApiServer()
    auth = authenticator(server)
    server.gate.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(auth.authenticate(shown(token())))
        await eventually(lambda: len(server.asked) == 1)
        second, third = (group.create_task(auth.authenticate(shown(token()))) for _ in range(2))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        server.gate.set()
    assert (first.result(), third.result(), second.cancelled()) == (CALLER, CALLER, True)


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("connection refused"),
        ForbiddenError("POST /x", 403, "Forbidden", "tokenreviews is forbidden"),
    ],
)
async def test_nobody_unknown_is_let_in_while_the_api_server_is_away(error: Exception) -> None:
    """The caller is to try again; once it is back it is let in. Who was known before stays so."""
    server, registry = ApiServer(), CollectorRegistry()
    auth = authenticator(server, registry=registry)
    known, unknown = shown(token(name="known")), shown(token(name="unknown"))
    await auth.authenticate(known)
    server.answer = error
    with pytest.raises(UndecidedError):
        await auth.authenticate(unknown)
    assert await auth.authenticate(known) == CALLER
    assert registry.get_sample_value("pilot_token_reviews_total", {"result": "failed"}) == 1
    server.answer = status()
    assert await auth.authenticate(unknown) == CALLER


async def test_all_who_wait_hear_that_the_api_server_is_away() -> None:
    """Each by an error of its own."""
    server = ApiServer(UnreachableError("connection refused"))
    auth = authenticator(server)
    server.gate.clear()

    async def refused() -> UndecidedError:
        with pytest.raises(UndecidedError) as caught:
            await auth.authenticate(shown(token()))
        return caught.value

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(refused()) for _ in range(3)]
        await eventually(lambda: len(server.asked) == 1)
        await asyncio.sleep(0)
        server.gate.set()
    assert len({id(task.result()) for task in tasks}) == 3
    assert len(server.asked) == 1


async def test_api_server_that_does_not_answer_is_not_waited_for() -> None:
    """The deadline is ours."""
    server = ApiServer()
    server.gate.clear()
    with pytest.raises(UndecidedError, match=r"no answer within 0\.2 s"):
        await authenticator(server).authenticate(shown(token()))


async def test_answer_that_is_no_review_lets_nobody_in() -> None:
    """A proxy's error page, for instance."""

    class Nonsense(ApiServer):
        async def create(self, path: str, body: bytes) -> bytes:
            return b"<html>"

    with pytest.raises(UndecidedError, match="token review"):
        await authenticator(Nonsense()).authenticate(shown(token()))


async def test_number_of_questions_at_once_is_bounded() -> None:
    """A flood of made-up tokens does not pile up."""
    server = ApiServer()
    auth = authenticator(server, settings=msgspec.structs.replace(SETTINGS, max_waiting=2, timeout_s=5))
    server.gate.clear()
    ask: Callable[[str], Awaitable[Caller | None]] = lambda name: auth.authenticate(shown(token(name=name)))  # noqa: E731
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_asking(ask, name)) for name in ("a", "b")]
        await eventually(lambda: len(server.asked) == 2)
        with pytest.raises(UndecidedError, match="2 tokens"):
            await ask("c")
        server.gate.set()
    assert [task.result() for task in tasks] == [CALLER, CALLER]


async def _asking(ask: Callable[[str], Awaitable[Caller | None]], name: str) -> Caller | None:
    return await ask(name)


@pytest.mark.parametrize("exp", [1e308, -1.0, 1e15])
async def test_expiry_that_is_no_instant_is_refused(exp: float) -> None:
    """It must not become a crash."""
    claims = encode_base64url(msgspec.json.encode({"aud": "istio-ca", "exp": exp}))
    with pytest.raises(UnauthenticatedError, match="expiry"):
        await authenticator(ApiServer()).authenticate(shown(f"e30.{claims}.c2ln"))


async def test_an_api_server_judges(kube_api: KubeApi) -> None:
    """Tokens for our audience are their accounts, bound ones with their pod; those for others, for the API server
    itself or of a pod that is gone are nobody's.
    """
    place = await kube_api.new_namespace()
    settings = ReviewSettings(trust_domain=TRUST_DOMAIN)
    ours = await kube_api.token_for(place, "web", ["istio-ca"])
    (made,) = await kube_api.apply(pod("web-1", place, "10.1.0.1", account="web"))
    bound = await kube_api.token_for(place, "web", ["istio-ca"], pod=made)
    others = [await kube_api.token_for(place, "web", audiences) for audiences in (["vault"], [])]
    forged = f"{ours.rpartition('.')[0]}.{bound.rpartition('.')[2]}"
    async with client_of(kube_api) as client:
        subject = TokenReviewAuthenticator(client, settings, clock=SystemClock())
        caller = await subject.authenticate(shown(ours))
        assert caller is not None
        assert [str(identity) for identity in caller.identities] == [f"spiffe://{TRUST_DOMAIN}/ns/{place}/sa/web"]
        assert caller.pod is None
        caller = await subject.authenticate(shown(bound))
        assert caller is not None
        assert caller.pod is not None
        assert (caller.pod.namespace, caller.pod.name, caller.pod.uid) == (place, "web-1", made["metadata"]["uid"])
        for text in (*others, forged):
            with pytest.raises(UnauthenticatedError):
                await subject.authenticate(shown(text))
        await kube_api.delete(made, grace_s=0)
        await kube_api.until_gone(made)

        async def refused() -> bool:
            afresh = TokenReviewAuthenticator(client, settings, clock=SystemClock())  # remembers nothing
            try:
                await afresh.authenticate(shown(bound))
            except UnauthenticatedError:
                return True
            return False

        await eventually(refused, within_s=30)  # API servers remember tokens for some seconds
