"""How Telemetry of the mesh, a namespace and a workload combine in what they say of spans."""

from __future__ import annotations

from discovery.mesh.telemetry import LoggedWorkload, telemetry_label_keys
from discovery.mesh.tracing import TracingChoice, mesh_sampling, tracing
from discovery.schema.mesh_config import DefaultProviders, MeshConfig
from discovery.schema.proxy_config import ProxyConfig, ProxyTracing
from discovery.schema.telemetry import CustomTag, LiteralTag, WorkloadMode
from tests.kit.mesh_db import MeshDb

CLIENT = LoggedWorkload("shop", (("app", "web"),), WorkloadMode.CLIENT)
SERVER = CLIENT._replace(mode=WorkloadMode.SERVER)


def telemetry(name: str, said: str, *, namespace: str = "shop", more: str = "") -> str:
    return f"""
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "2024-01-01T00:00:00Z"}}
spec: {{{more} tracing: {said}}}
"""


ROOT = telemetry("root", "[{providers: [{name: zipkin}], randomSamplingPercentage: 5}]", namespace="istio-system")
NAMESPACE = telemetry("ns", "[{customTags: {team: {literal: {value: shop}}}}]")
OWN = telemetry(
    "own",
    "[{providers: [{name: otel}, {name: other}], randomSamplingPercentage: 0}]",
    more="selector: {matchLabels: {app: web}},",
)
TAGS = (("team", CustomTag(literal=LiteralTag(value="shop"))),)


def said(*texts: str, workload: LoggedWorkload = CLIENT, default: str = "") -> TracingChoice | None:
    providers = DefaultProviders(tracing=(default,) if default else ())
    return tracing(MeshDb("".join(texts), mesh=MeshConfig(default_providers=providers)).db, workload)


def test_nothing_said() -> None:
    """The default provider; without one nobody decides, and bootstraps count."""
    assert said() is None
    assert said(default="zipkin") == TracingChoice(provider="zipkin")


def test_each_level_replaces_what_it_speaks_of() -> None:
    """Provider and share of the mesh, tags of the namespace; the workload has a provider of its own, and no spans."""
    assert said(ROOT) == TracingChoice(provider="zipkin", sampling=5.0)
    assert said(ROOT, NAMESPACE) == TracingChoice(provider="zipkin", sampling=5.0, tags=TAGS)
    assert said(ROOT, NAMESPACE, OWN) == TracingChoice(provider="otel", sampling=0.0, tags=TAGS)
    assert said(ROOT, NAMESPACE, OWN, workload=CLIENT._replace(labels=())) == said(ROOT, NAMESPACE)


def test_off_for_one_direction() -> None:
    """Calls that the workload serves are still traced."""
    off = telemetry("none", "[{match: {mode: CLIENT}, disableSpanReporting: true}, {enableIstioTags: false}]")
    assert said(off, default="zipkin") == TracingChoice(istio_tags=False)
    assert said(off, default="zipkin", workload=SERVER) == TracingChoice(provider="zipkin", istio_tags=False)


def test_labels_of_its_selectors_matter() -> None:
    """A workload's label that only tracing selects by distinguishes it."""
    assert telemetry_label_keys(MeshDb(OWN).db, "shop") == {"app"}


def test_the_share_of_the_mesh() -> None:
    """One percent, unless the default configuration of proxies says another."""
    assert mesh_sampling(MeshDb().db, None) == 1.0
    config = MeshConfig(default_config=ProxyConfig(tracing=ProxyTracing(sampling=50.0)))
    assert mesh_sampling(MeshDb(mesh=config).db, None) == 50.0
