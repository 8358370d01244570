from __future__ import annotations

import pytest

from certs.spiffe import Spiffe
from discovery.auth.caller import Caller, CallerKind, PodReference
from discovery.auth.errors import ForbiddenError
from discovery.auth.node_authorization import NodeAuthorizer, StorePods
from discovery.schema.kubernetes import Pod, PodSpec, PodStatus
from discovery.schema.meta import Kind, Object, ObjectKey, ObjectMeta
from tests.kit.certs import spiffe

NODE_PROXY = spiffe("istio-system", "ztunnel")
TRUSTED = frozenset({("istio-system", "ztunnel")})
POD = PodReference(namespace="istio-system", name="ztunnel-1", uid="z1", node="n1")


def pod(namespace: str, name: str, account: str, node: str, *, uid: str = "", phase: str = "Running") -> Object:
    return Object(
        key=ObjectKey(Kind.POD, namespace, name),
        meta=ObjectMeta(name=name, namespace=namespace, uid=uid),
        spec=Pod(spec=PodSpec(node_name=node, service_account_name=account), status=PodStatus(phase=phase)),
    )


PODS = (
    pod("istio-system", "ztunnel-1", "ztunnel", "n1", uid="z1"),
    pod("istio-system", "imposter", "other", "n1", uid="i1"),
    pod("istio-system", "pending", "ztunnel", "", uid="p1"),
    pod("shop", "reviews-1", "reviews", "n1"),
    pod("shop", "ratings-1", "ratings", "n2"),
    pod("shop", "job-1", "job", "n1", phase="Succeeded"),
    pod("bank", "ratings-1", "ratings", "n1"),
)


def authorize(wanted: str, *, caller: Spiffe = NODE_PROXY, bound: PodReference | None = POD) -> Spiffe:
    authorizer = NodeAuthorizer(TRUSTED, StorePods({item.key: item for item in PODS}))
    return authorizer.authorize(Caller(kind=CallerKind.TOKEN, identities=(caller,), pod=bound), wanted)


def test_proxy_of_a_node_may_be_who_runs_there() -> None:
    """The account has a pod on the node of the caller's pod."""
    assert authorize(str(spiffe("shop", "reviews"))) == spiffe("shop", "reviews")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (str(spiffe("shop", "ratings")), "no pod on node n1"),
        (str(spiffe("shop", "job")), "no pod on node n1"),
        (str(spiffe("shop", "nobody")), "no pod on node n1"),
        (str(spiffe("shop", "reviews", trust_domain="elsewhere")), "another trust domain"),
        ("spiffe://cluster.local/admin", "no workload identity"),
        ("", "no SPIFFE id"),
    ],
    ids=["other node", "has ended", "unknown", "other trust domain", "no workload", "nothing"],
)
def test_nobody_else(wanted: str, says: str) -> None:
    """Each refusal says why, for the log."""
    with pytest.raises(ForbiddenError, match=says):
        authorize(wanted)


@pytest.mark.parametrize(
    ("bound", "says"),
    [
        (None, "not bound to a pod"),
        (PodReference(namespace="istio-system", name="gone", uid="z1"), "not known"),
        (PodReference(namespace="istio-system", name="ztunnel-1", uid="z0"), "another one"),
        (PodReference(namespace="istio-system", name="imposter", uid="i1"), "runs as other"),
        (PodReference(namespace="istio-system", name="ztunnel-1", uid="z1", node="n2"), "'n1', its token .* 'n2'"),
        (PodReference(namespace="istio-system", name="pending", uid="p1"), "on node ''"),
    ],
    ids=["no pod", "gone", "replaced", "other account", "other node", "nowhere"],
)
def test_the_callers_own_pod_must_be_what_it_says(bound: PodReference | None, says: str) -> None:
    """A token that outlived its pod, or was carried elsewhere, speaks for nobody."""
    with pytest.raises(ForbiddenError, match=says):
        authorize(str(spiffe("shop", "reviews")), bound=bound)


def test_account_must_be_trusted() -> None:
    """Others may not even ask."""
    with pytest.raises(ForbiddenError, match="CA_TRUSTED_NODE_ACCOUNTS"):
        authorize(str(spiffe("shop", "reviews")), caller=spiffe("istio-system", "other"))


def test_api_server_that_does_not_tell_the_node_is_no_obstacle() -> None:
    """Before Kubernetes 1.32 the token says only the pod, whose node we know."""
    bound = PodReference(namespace="istio-system", name="ztunnel-1", uid="z1")
    assert authorize(str(spiffe("shop", "reviews")), bound=bound) == spiffe("shop", "reviews")
