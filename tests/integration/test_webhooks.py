"""The whole way of a pod: what the chart installs, a control plane that reads it, and an API server that calls it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from discovery.app import run_discovery
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.logs import Logger, configure_logging
from discovery.settings import FLAGS, load_settings
from tests.kit.eventually import eventually
from tests.kit.free_ports import free_port
from tests.kit.helm import one, render
from tests.kit.kube_api.handle import ApiCallError, KubeApi

pytestmark = pytest.mark.kube_double

_ADMISSION: Final = "admissionregistration.k8s.io/v1"
_SYSTEM: Final = "istio-system"


@pytest.fixture(autouse=True)
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The program sets up logging of the whole process; the next test finds it as it was."""
    monkeypatch.setattr(Logger, "backend", Logger.__dict__["backend"])
    configure_logging()
    yield
    structlog.reset_defaults()


async def _ready(port: int) -> bool:
    try:
        return (await fetch(TcpTarget("127.0.0.1", port), "/ready", timeout_s=5)).status == 200
    except HttpClientError:
        return False


@asynccontextmanager
async def _control_plane(api: KubeApi, *, injects: bool = True) -> AsyncIterator[int]:
    """A control plane at work; gives the port of its metrics."""
    https, http = free_port(), free_port()
    flags = {flag.field: flag.default for flag in FLAGS} | {
        "kubeconfig": str(api.kubeconfig),
        "meshConfig": "/no/such/mesh",
        "grpcAddr": "",
        "secureGRPCAddr": "",
        "httpAddr": "",
        "monitoringAddr": f"127.0.0.1:{http}",
        "httpsAddr": f"127.0.0.1:{https}",
    }
    api.double.webhooks.services[(_SYSTEM, "istiod", 443)] = f"127.0.0.1:{https}"
    environ = {"ROOT_CA_DIR": "/no/such/authority", "INJECT_ENABLED": str(injects).lower()}
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run_discovery(load_settings(flags, environ)))
        await eventually(lambda: _ready(http), within_s=30)
        yield http
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await task == 0


async def _trusted(api: KubeApi, *configurations: dict[str, Any]) -> bool:
    """Whether the control plane told the API server by which roots to verify it."""
    for configuration in configurations:
        found = await api.get(_ADMISSION, configuration["kind"], configuration["metadata"]["name"])
        if found is None or not all(hook["clientConfig"].get("caBundle") for hook in found["webhooks"]):
            return False
    return True


def _namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _pod(namespace: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "web", "image": "web:1", "readinessProbe": {"httpGet": {"port": 8080}}}]},
    }


async def test_pods_are_injected_and_bad_configuration_refused(kube_api: KubeApi) -> None:
    """By what the chart installs: namespaces that ask for it get proxies, others not; the counts tell."""
    chart = render("discovery")
    definitions = [manifest for manifest in render("base") if manifest["kind"] == "CustomResourceDefinition"]
    mutating = one(chart, "MutatingWebhookConfiguration")
    validating = one(chart, "ValidatingWebhookConfiguration")
    config_maps = [manifest for manifest in chart if manifest["kind"] == "ConfigMap"]
    await kube_api.apply(*(_namespace(_SYSTEM),), *definitions, *config_maps)
    await kube_api.apply(_namespace("shop", **{"istio-injection": "enabled"}), _namespace("plain"))
    async with _control_plane(kube_api) as http:
        await kube_api.apply(mutating, validating)
        await eventually(lambda: _trusted(kube_api, mutating, validating), within_s=30)
        (injected,) = await kube_api.apply(_pod("shop"))
        containers = [*injected["spec"]["containers"], *injected["spec"].get("initContainers", ())]
        assert {"web", "istio-proxy", "istio-init"} <= {container["name"] for container in containers}
        assert injected["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/app-health/web/readyz"
        (plain,) = await kube_api.apply(_pod("plain"))
        assert len(plain["spec"]["containers"]) == 1
        (asked,) = await kube_api.apply({**_pod("plain", **{"sidecar.istio.io/inject": "true"}), **_named("asked")})
        assert asked["metadata"]["annotations"]["sidecar.istio.io/status"]
        rule = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "web"}, "weight": -1}]}]},
        }
        with pytest.raises(ApiCallError, match="configuration is invalid"):
            await kube_api.apply(rule)
        metrics = (await fetch(TcpTarget("127.0.0.1", http), "/metrics", timeout_s=5)).body.decode()
        assert "\nsidecar_injection_success_total 2.0\n" in metrics
        failed = (
            'galley_validation_failed{group="networking.istio.io",reason="invalid_resource",resource="VirtualService"}'
        )
        assert failed in metrics


async def test_the_page_of_metrics_is_whole(kube_api: KubeApi) -> None:
    """Every metric of a control plane in a cluster has its row, with its meaning, and no row is about anything else."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)[^`]*` \| (.+) \|$", page.partition("\n## Configuration")[2], re.MULTILINE))
    await kube_api.apply(_namespace(_SYSTEM))
    async with _control_plane(kube_api, injects=False) as http:
        text = (await fetch(TcpTarget("127.0.0.1", http), "/metrics", timeout_s=5)).body.decode()
    assert rows == {
        name: meaning.rstrip(".") for name, meaning in re.findall(r"^# HELP (\w+) (.+)$", text, re.MULTILINE)
    }


def _named(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "plain", "labels": {"sidecar.istio.io/inject": "true"}},
    }
