"""The chart's roles are the least that works: what the control plane asks of a real API server is what they grant."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import helm_python as helm
import pytest

from tests.kit.eventually import eventually
from tests.kit.helm import Manifest, chart_path, of_kind, one, render
from tests.kit.kube_api.handle import ApiCallError, KubeApi
from tests.kit.kube_cluster import gateway_api_crds
from tests.kit.live import Program, program
from tests.kit.live_agent import live_agent
from tests.kit.rights import Right, granted
from tests.kube.server import ControlPlane, Place, running_control_plane

pytestmark = [pytest.mark.kube, pytest.mark.envoy]

_SYSTEM: Final = "istio-system"
_ROOT_MAP: Final = "istio-ca-root-cert"
_NETWORKING, _SECURITY = "networking.istio.io/v1", "security.istio.io/v1"
# A root lives for minutes and is renewed when 99 % of that is left, at the first look; a machine's entry goes a second
# after the machine: so that these are asked for too. Nothing answers webhooks here.
_QUICK: Final = {
    "CITADEL_SELF_SIGNED_CA_CERT_TTL": "10m",
    "CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE": "99",
    "PILOT_WORKLOAD_ENTRY_GRACE_PERIOD": "1s",
}
_CACERTS: Final = {
    "USE_CACERTS_FOR_SELF_SIGNED_CA": "true",
    "PILOT_SWITCH_VALIDATION_FAILURE_POLICY": "true",
    "SHARED_MESH_CONFIG": "shared",
}
_CASES: Final[Mapping[str, Mapping[str, Any]]] = {
    "defaults": {"env": _QUICK, "global": {"validationFailurePolicy": "Ignore"}},
    "a tagged revision that keeps its root in cacerts": {
        "revision": "canary",
        "revisionTags": ["stable"],
        "env": {**_QUICK, **_CACERTS},
        "global": {"validationFailurePolicy": "Ignore"},
    },
    "webhooks of somebody else, no Gateway API": {
        "env": {**_QUICK, "PILOT_ENABLE_GATEWAY_API": "false"},
        "global": {"operatorManageWebhooks": True},
    },
}
# A sound object of every kind that has conditions; a WorkloadEntry has none.
_SOUND: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    (_NETWORKING, "DestinationRule", {"host": "a"}),
    ("networking.istio.io/v1alpha3", "EnvoyFilter", {"configPatches": []}),
    (
        _NETWORKING,
        "Gateway",
        {"servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["a"]}]},
    ),
    ("networking.istio.io/v1beta1", "ProxyConfig", {"concurrency": 1}),
    (
        _NETWORKING,
        "ServiceEntry",
        {"hosts": ["a.example"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS"},
    ),
    (_NETWORKING, "Sidecar", {"egress": [{"hosts": ["./*"]}]}),
    (_NETWORKING, "VirtualService", {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}),
    (_NETWORKING, "WorkloadGroup", {"template": {"serviceAccount": "vm"}}),
    (_SECURITY, "AuthorizationPolicy", {}),
    (_SECURITY, "PeerAuthentication", {"mtls": {"mode": "PERMISSIVE"}}),
    (_SECURITY, "RequestAuthentication", {}),
    ("telemetry.istio.io/v1", "Telemetry", {"accessLogging": [{"providers": [{"name": "envoy"}]}]}),
    ("extensions.istio.io/v1alpha1", "TrafficExtension", {"lua": {"inlineCode": "function envoy_on_request(h) end"}}),
    ("extensions.istio.io/v1alpha1", "WasmPlugin", {"url": "file:///filter.wasm"}),
)


class Audit:
    """What an account has asked of the API server since this was made."""

    def __init__(self, control_plane: ControlPlane, account: str) -> None:
        self._control_plane = control_plane
        self._user = f"system:serviceaccount:{_SYSTEM}:{account}"
        self._from = len(control_plane.calls())

    def needed(self, *, refused: bool = False) -> set[Right]:
        """The rights that its calls took; only those that it did not have, if told so."""
        found = set()
        for event in self._control_plane.calls()[self._from :]:
            code = event["responseStatus"]["code"]
            if event["user"]["username"] == self._user and "objectRef" in event and (code == 403 or not refused):
                ref = event["objectRef"]
                resource = "/".join(filter(None, (ref.get("resource", ""), ref.get("subresource", ""))))
                right = Right(event["verb"], ref.get("apiGroup", ""), resource, ref.get("name", ""))
                found.add(right)
                if right.verb == "patch" and code == 201:  # what server-side apply makes takes both rights
                    found.add(right._replace(verb="create"))
        return found

    async def has(self, *grant: str) -> None:
        """Wait for a call that needs this right."""
        await eventually(lambda: any(Right(*grant).covers(needed) for needed in self.needed()), within_s=20)


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    """A server of our own, whose audit log holds nobody else's calls, with our kinds and those of the Gateway API.

    It does not stream lists, so that both ways of reading are needed: every right to watch comes with one to list.
    """
    with running_control_plane(place=Place(gates=("WatchList=false",))) as running:
        with helm.Config(kubeconfig_path=running.address.kubeconfig, namespace=_SYSTEM) as releases:
            releases.install(chart_path("base"), "istio-base", {}, namespace=_SYSTEM, create_namespace=True)
        yield running


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[KubeApi]:
    """Its administrator's view."""
    async with KubeApi(control_plane.address) as opened:
        await opened.apply(*gateway_api_crds())
        yield opened


@pytest.mark.parametrize("values", _CASES.values(), ids=_CASES)
async def test_granted_is_what_is_asked(
    api: KubeApi, control_plane: ControlPlane, values: Mapping[str, Any], tmp_path: Path
) -> None:
    """Everything a control plane does is done once; nothing was forbidden, and no right was left unused."""
    manifests = render("discovery", values, release="istiod")
    audit = Audit(control_plane, one(manifests, "ServiceAccount")["metadata"]["name"])
    namespace = await api.new_namespace("shop-")
    first, second = ("cacerts", "istio-ca-secret") if "revision" in values else ("istio-ca-secret", "cacerts")
    async with _installed(api, values):
        async with _discovery(api, manifests, tmp_path) as running:
            await _root_map_is_repaired(api, namespace)
            if of_kind(manifests, "MutatingWebhookConfiguration"):
                await _bundles_are_patched(api)
            await _sound_objects_are_accepted(api, namespace)
            await _wrong_object_is_told(api, namespace)
            await _machine_comes_and_goes(api, namespace, running, tmp_path)
            await audit.has("update", "", "secrets", first)
        await _move_authority(api, first, second)
        async with _discovery(api, manifests, tmp_path):
            await audit.has("watch", "", "secrets", second)
            if second == "istio-ca-secret":  # ours, so it is renewed
                await audit.has("update", "", "secrets", second)
    grants = granted(manifests)
    assert audit.needed(refused=True) == set()
    assert sorted(right for right in audit.needed() if not any(grant.covers(right) for grant in grants)) == []
    assert sorted(grant for grant in grants if not any(grant.covers(right) for right in audit.needed())) == []


# -- the program -------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _installed(api: KubeApi, values: Mapping[str, Any]) -> AsyncIterator[None]:
    """The chart, in a cluster where no control plane has ever written."""
    for version, kind in (("v1", "Secret"), ("coordination.k8s.io/v1", "Lease")):
        for item in await api.list_all(version, kind, _SYSTEM):
            await api.delete({"apiVersion": version, "kind": kind, "metadata": item["metadata"]})

    def install() -> None:
        with helm.Config(kubeconfig_path=api.kubeconfig, namespace=_SYSTEM) as releases:
            releases.install(chart_path("discovery"), "istiod", dict(values), namespace=_SYSTEM)

    def uninstall() -> None:
        with helm.Config(kubeconfig_path=api.kubeconfig, namespace=_SYSTEM) as releases:
            releases.uninstall("istiod")

    await asyncio.to_thread(install)
    try:
        yield
    finally:
        await asyncio.to_thread(uninstall)


@contextlib.asynccontextmanager
async def _discovery(api: KubeApi, manifests: tuple[Manifest, ...], directory: Path) -> AsyncIterator[Program]:
    """The program as the Deployment starts it: arguments, environment, service account."""
    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    token = await api.token_for(_SYSTEM, pod["serviceAccountName"])
    kubeconfig = api.write_kubeconfig(directory / "istiod.kubeconfig", token)
    env = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    env |= {"POD_NAME": "istiod-0", "POD_NAMESPACE": _SYSTEM}
    own = [f"--kubeconfig={kubeconfig}"]
    own += [f"--{name}=127.0.0.1:0" for name in ("secureGRPCAddr", "httpAddr", "httpsAddr", "monitoringAddr")]
    argv = (sys.executable, "-m", "discovery", *container["args"], *own, "--grpcAddr=")
    async with program("pilot-discovery", argv, cwd=directory, env=env) as running:
        await running.said(r"^\[info\s*\] ready\b")
        yield running


async def _move_authority(api: KubeApi, held: str, other: str) -> None:
    """The same authority in the other Secret, as an operator writes it."""
    found = await api.get("v1", "Secret", held, _SYSTEM)
    assert found is not None
    data = {name: value for name, value in found["data"].items() if name != "istio-generated"}
    assert base64.b64decode(data["ca-cert.pem"]).startswith(b"-----BEGIN CERTIFICATE")
    await api.delete(found)
    await api.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": found["type"],
            "metadata": {"name": other, "namespace": _SYSTEM},
            "data": data,
        }
    )


# -- what it does ------------------------------------------------------------------------------------------------------


async def _root_map_is_repaired(api: KubeApi, namespace: str) -> None:
    """Each namespace has the mesh's root; an edit is undone."""

    async def root() -> str:
        found = await api.get("v1", "ConfigMap", _ROOT_MAP, namespace)
        return "" if found is None else str(found["data"]["root-cert.pem"])

    async def written() -> bool:
        return (await root()).startswith("-----BEGIN CERTIFICATE")

    await eventually(written)
    path = await api.path("v1", "ConfigMap", namespace, _ROOT_MAP)
    body = json.dumps({"data": {"root-cert.pem": "nothing"}}).encode()
    assert (await api.call("PATCH", path, body, content_type="application/merge-patch+json")).status == 200
    await eventually(written)


async def _bundles_are_patched(api: KubeApi) -> None:
    """Both kinds of webhooks get the authority that they are to trust."""

    async def patched() -> bool:
        hooks = [
            webhook
            for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
            for item in await api.list_all("admissionregistration.k8s.io/v1", kind)
            for webhook in item["webhooks"]
        ]
        return bool(hooks) and all(webhook["clientConfig"].get("caBundle") for webhook in hooks)

    await eventually(patched)


async def _sound_objects_are_accepted(api: KubeApi, namespace: str) -> None:
    """A condition on an object of each kind says so."""
    for version, kind, spec in _SOUND:
        item = {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": "sound", "namespace": namespace},
            "spec": spec,
        }
        await eventually(lambda item=item: _written(api, item))
    for version, kind, _ in _SOUND:
        await eventually(lambda v=version, k=kind: _is_accepted(api, v, k, "sound", namespace, "True"))


async def _wrong_object_is_told(api: KubeApi, namespace: str) -> None:
    """A condition and an Event say what is wrong; what is still wrong after an edit is counted at its Event."""
    await api.apply(_wrong(namespace, routes=1))
    await eventually(lambda: _is_accepted(api, _NETWORKING, "VirtualService", "wrong", namespace, "False"))
    await eventually(lambda: _told(api, namespace, times=1))
    await api.apply(_wrong(namespace, routes=2))
    await eventually(lambda: _told(api, namespace, times=2))


def _wrong(namespace: str, *, routes: int) -> dict[str, Any]:
    """A VirtualService of which each route is wrong in the same way: no weight is above 0."""
    weights = [{"destination": {"host": host}, "weight": 0} for host in ("b", "c")]
    http = [{"name": f"r{at}", "match": [{"port": at + 1}], "route": weights} for at in range(routes)]
    return {
        "apiVersion": _NETWORKING,
        "kind": "VirtualService",
        "metadata": {"name": "wrong", "namespace": namespace},
        "spec": {"hosts": ["b"], "http": http},
    }


async def _is_accepted(api: KubeApi, version: str, kind: str, name: str, namespace: str, status: str) -> bool:
    found = await api.get(version, kind, name, namespace)
    conditions = ((found or {}).get("status") or {}).get("conditions", ())
    return any(condition["type"] == "Accepted" and condition["status"] == status for condition in conditions)


async def _told(api: KubeApi, namespace: str, *, times: int) -> bool:
    events = await api.list_all("events.k8s.io/v1", "Event", namespace)
    return any(
        event["regarding"]["name"] == "wrong" and (event.get("series") or {"count": 1})["count"] == times
        for event in events
    )


async def _machine_comes_and_goes(api: KubeApi, namespace: str, running: Program, directory: Path) -> None:
    """A token is judged, an entry is made, told to be unhealthy, and taken away."""
    root = await api.get("v1", "ConfigMap", _ROOT_MAP, namespace)
    assert root is not None
    machine = directory / "machine"
    for path, text in (
        ("var/run/secrets/istio/root-cert.pem", root["data"]["root-cert.pem"]),
        ("var/run/secrets/tokens/istio-token", await api.token_for(namespace, "vm", ["istio-ca"])),
    ):
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
        (machine / path).write_text(text)
    port = (await running.said(r"listening .*what='secure.*?port=(\d+)"))[1]
    config = {
        "controlPlaneAuthPolicy": "MUTUAL_TLS",
        "readinessProbe": {"httpGet": {"port": 1, "path": "/"}, "periodSeconds": 1},
    }
    env = {
        "POD_NAMESPACE": namespace,
        "SERVICE_ACCOUNT": "vm",
        "ISTIOD_SAN": f"istiod.{_SYSTEM}.svc",
        "ISTIO_META_AUTO_REGISTER_GROUP": "sound",
        "CREDENTIAL_FETCHER_TYPE": "",
    }
    async with live_agent(machine, f"127.0.0.1:{port}", config=config, env=env) as agent:

        async def unhealthy() -> bool:
            entries = await api.list_all(_NETWORKING, "WorkloadEntry", namespace)
            return any(
                condition["type"] == "Healthy" and condition["status"] == "False"
                for entry in entries
                for condition in (entry.get("status") or {}).get("conditions", ())
            )

        try:
            await eventually(unhealthy, within_s=20)
        except TimeoutError:
            raise AssertionError(f"no unhealthy entry:\n{agent.text}\n{running.text}") from None

    async def gone() -> bool:
        return not await api.list_all(_NETWORKING, "WorkloadEntry", namespace)

    await eventually(gone, within_s=30)


async def _written(api: KubeApi, item: Mapping[str, Any]) -> bool:
    """Whether an object could be written: kinds are served a little after their definitions were."""
    with contextlib.suppress(ApiCallError):
        await api.apply(item)
        return True
    return False
