"""The parts of Kubernetes' own kinds that analyzers look at; read leniently, so defaults stand for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = [
    "ClientConfig",
    "ConfigMap",
    "Container",
    "ContainerPort",
    "Deployment",
    "EnvVar",
    "LabelRequirement",
    "LabelSelector",
    "Pod",
    "PodSpec",
    "PodTemplate",
    "Secret",
    "SecurityContext",
    "Service",
    "ServicePort",
    "ServiceReference",
    "TemplateMeta",
    "Webhook",
    "WebhookConfiguration",
]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Part of an object."""


class ServicePort(_Part, frozen=True, kw_only=True):
    """A port of a Service."""

    name: str = ""
    port: int = 0
    protocol: str = "TCP"
    app_protocol: str = ""
    target_port: int | str | None = None


class ServiceSpec(_Part, frozen=True, kw_only=True):
    """What a Service stands for."""

    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    selector: Mapping[str, str] = {}
    ports: tuple[ServicePort, ...] = ()


class Service(_Part, frozen=True, kw_only=True):
    """``v1`` Service."""

    spec: ServiceSpec = ServiceSpec()


class SecurityContext(_Part, frozen=True, kw_only=True):
    """Which user runs."""

    run_as_user: int | None = None


class ContainerPort(_Part, frozen=True, kw_only=True):
    """A port that a container declares."""

    name: str = ""
    container_port: int = 0


class EnvVar(_Part, frozen=True, kw_only=True):
    """A variable."""

    name: str = ""
    value: str = ""


class Container(_Part, frozen=True, kw_only=True):
    """A container."""

    name: str = ""
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    security_context: SecurityContext | None = None


class PodSpec(_Part, frozen=True, kw_only=True):
    """What a pod runs."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""
    host_network: bool = False
    security_context: SecurityContext | None = None


class PodStatus(_Part, frozen=True, kw_only=True):
    """How far a pod is."""

    phase: str = ""


class Pod(_Part, frozen=True, kw_only=True):
    """``v1`` Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class TemplateMeta(_Part, frozen=True, kw_only=True):
    """Metadata of pods to be."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class PodTemplate(_Part, frozen=True, kw_only=True):
    """Pods to be."""

    metadata: TemplateMeta = TemplateMeta()
    spec: PodSpec = PodSpec()


class DeploymentSpec(_Part, frozen=True, kw_only=True):
    """What a Deployment keeps running."""

    template: PodTemplate = PodTemplate()


class Deployment(_Part, frozen=True, kw_only=True):
    """``apps/v1`` Deployment."""

    spec: DeploymentSpec = DeploymentSpec()


class ConfigMap(_Part, frozen=True, kw_only=True):
    """``v1`` ConfigMap."""

    data: Mapping[str, str] = {}


class Secret(_Part, frozen=True, kw_only=True):
    """``v1`` Secret."""

    data: Mapping[str, str] = {}
    string_data: Mapping[str, str] = {}


class LabelRequirement(_Part, frozen=True, kw_only=True):
    """One expression of a selector: In, NotIn, Exists, DoesNotExist."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class LabelSelector(_Part, frozen=True, kw_only=True):
    """A selector; all requirements must hold."""

    match_labels: Mapping[str, str] = {}
    match_expressions: tuple[LabelRequirement, ...] = ()


class ServiceReference(_Part, frozen=True, kw_only=True):
    """The Service that answers a webhook."""

    name: str = ""
    namespace: str = ""


class ClientConfig(_Part, frozen=True, kw_only=True):
    """Where a webhook is: a URL, or a Service."""

    url: str | None = None
    service: ServiceReference | None = None


class Webhook(_Part, frozen=True, kw_only=True):
    """A webhook and what it is asked about."""

    name: str = ""
    client_config: ClientConfig = ClientConfig()
    namespace_selector: LabelSelector = LabelSelector()
    object_selector: LabelSelector = LabelSelector()


class WebhookConfiguration(_Part, frozen=True, kw_only=True):
    """Mutating or validating webhooks."""

    webhooks: tuple[Webhook, ...] = ()
