"""The templates that come with the control plane, and the configuration that the chart makes of its values.

The chart puts the same files into its ConfigMap; these serve ``pilotctl kube-inject`` without a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from discovery.inject.config import InjectorConfig, parse_config, parse_values

__all__ = ["TEMPLATE_NAMES", "builtin_template", "builtin_values", "config_from_values", "values_of_chart"]

TEMPLATE_NAMES: Final = ("gateway", "grpc-agent", "grpc-simple", "sidecar")


@cache
def builtin_template(name: str) -> str:
    """The text of one of ``TEMPLATE_NAMES``."""
    return files("discovery.inject").joinpath("templates", f"{name}.yaml").read_text(encoding="utf-8")


def builtin_values() -> dict[str, Any]:
    """The values that the chart has when nobody sets any, as far as templates ask for them."""
    text = files("discovery.inject").joinpath("templates", "values.yaml").read_text(encoding="utf-8")
    return parse_values(text, where="values")


def config_from_values(values: Mapping[str, Any]) -> InjectorConfig:
    """What the chart writes under ``config``: the templates above, and what the values say of injection.

    Raises:
        ConfigError: a template or selector in the values cannot be used.
    """
    webhook: Mapping[str, Any] = values.get("sidecarInjectorWebhook") or {}
    proxy: Mapping[str, Any] = (values.get("global") or {}).get("proxy") or {}
    templates = {name: builtin_template(name) for name in TEMPLATE_NAMES}
    document = {
        "policy": proxy.get("autoInject") or "enabled",
        "defaultTemplates": webhook.get("defaultTemplates") or [],
        "alwaysInjectSelector": webhook.get("alwaysInjectSelector") or [],
        "neverInjectSelector": webhook.get("neverInjectSelector") or [],
        "injectedAnnotations": webhook.get("injectedAnnotations") or {},
        "templates": {**templates, **(webhook.get("templates") or {})},
    }
    return parse_config(msgspec.json.encode(document).decode())


def values_of_chart(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the chart writes under ``values``: the part of its own values that templates see."""
    kept = {key: values[key] for key in ("global", "sidecarInjectorWebhook", "revision") if key in values}
    pilot = {key: values[key] for key in ("cni", "env") if key in values}
    return {**kept, "pilot": pilot, "gateways": values.get("gateways") or {}}
