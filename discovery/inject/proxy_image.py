"""The proxy's image, from the chart's values: hub, name, tag and variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["image_reference", "proxy_image"]

_VARIANTS: Final = ("distroless", "debug")
_TYPE: Final = "sidecar.istio.io/proxyImageType"


def proxy_image(
    values: Mapping[str, Any], *, section: str, proxy_config: Mapping[str, Any], annotations: Mapping[str, str]
) -> str:
    """The image that ``values.global.<section>.image`` means; a name with a slash is a whole reference already."""
    overall: Mapping[str, Any] = values.get("global") or {}
    name = str((overall.get(section) or {}).get("image") or "proxyv2")
    if "/" in name:
        return name
    variant = annotations.get(_TYPE) or (proxy_config.get("image") or {}).get("imageType") or overall.get("variant")
    tag = overall.get("tag")
    return image_reference(str(overall.get("hub") or ""), name, "" if tag is None else str(tag), str(variant or ""))


def image_reference(hub: str, name: str, tag: str, variant: str) -> str:
    """``hub/name:tag-variant``; a variant that the tag has already is replaced."""
    if variant:
        for known in _VARIANTS:
            tag = tag.removesuffix(f"-{known}")
        if variant != "default":
            tag = f"{tag}-{variant}"
    return f"{hub}/{name}:{tag}"
