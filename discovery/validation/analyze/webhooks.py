"""Webhook configurations: Services and hosts that answer, and injectors that both answer for a pod."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from discovery.schema.addresses import is_address
from discovery.validation.analyze.kubernetes import Webhook
from discovery.validation.analyze.label_selectors import can_match_both
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import World

__all__ = ["external_control_planes", "injectors"]

_INJECTOR: Final = "sidecar-injector.istio.io"
_VALIDATORS: Final = ("istiod-default-validator", "istio-validator")
_INJECTORS: Final = ("istio-sidecar-injector",)


def external_control_planes(world: World) -> Iterator[Message]:
    """Webhooks of a control plane elsewhere say where it is, by name."""
    for kind, prefixes in (
        ("ValidatingWebhookConfiguration", _VALIDATORS),
        ("MutatingWebhookConfiguration", _INJECTORS),
    ):
        for config in world.of(kind):
            if config.name.startswith(prefixes):
                for hook in config.spec.webhooks:
                    yield from _address(config, hook)


def _address(config: Resource, hook: Webhook) -> Iterator[Message]:
    if hook.client_config.service is not None:
        return
    url = hook.client_config.url
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        host = ""
    if not host:
        text = f"webhook {hook.name!r} has the address {url or ''!r}, which names no host"
        yield about(Code.INVALID_EXTERNAL_CONTROL_PLANE_CONFIG, config, text, "write https://host:port/path")
    elif is_address(host):
        text = f"webhook {hook.name!r} is reached at the address {host}, which may change"
        yield about(Code.EXTERNAL_CONTROL_PLANE_ADDRESS_IS_NOT_A_HOSTNAME, config, text, "use a host name")


def injectors(world: World) -> Iterator[Message]:
    """Injectors have their Services, and no pod has two."""
    hooks = [
        (config, hook)
        for config in world.of("MutatingWebhookConfiguration")
        for hook in config.spec.webhooks
        if hook.name.endswith(_INJECTOR)
    ]
    for owner in world.of("MutatingWebhookConfiguration"):
        yield from _services(world, [(config, hook) for config, hook in hooks if config is owner])
    for config, hook in hooks:
        rivals = [(owner, other) for owner, other in hooks if other is not hook and _overlap(hook, other)]
        if rivals:
            others = ", ".join(sorted({f"{other.name} of {owner.name}" for owner, other in rivals}))
            text = f"webhook {hook.name!r} and {others} are asked about the same pods"
            yield about(Code.INVALID_WEBHOOK, config, text, "make their selectors exclude each other")


def _services(world: World, hooks: list[tuple[Resource, Webhook]]) -> Iterator[Message]:
    missing: dict[str, Resource] = {}
    for config, hook in hooks:
        service = hook.client_config.service
        if service is not None and world.find("Service", service.namespace, service.name) is None:
            missing[f"{service.namespace}/{service.name}"] = config
    for name, config in missing.items():
        text = f"there is no Service {name}, so no pod can be made where it is asked"
        yield about(Code.INVALID_WEBHOOK, config, text, "correct clientConfig.service")


def _overlap(one: Webhook, other: Webhook) -> bool:
    return can_match_both(one.namespace_selector, other.namespace_selector) and can_match_both(
        one.object_selector, other.object_selector
    )
