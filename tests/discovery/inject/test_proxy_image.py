"""The proxy's image."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.proxy_image import image_reference, proxy_image


@pytest.mark.parametrize(
    ("tag", "variant", "expected"),
    [
        ("1.2", "", "h/p:1.2"),
        ("1.2", "distroless", "h/p:1.2-distroless"),
        ("1.2-debug", "distroless", "h/p:1.2-distroless"),
        ("1.2-distroless", "default", "h/p:1.2"),
        ("1.2-custom", "debug", "h/p:1.2-custom-debug"),
    ],
)
def test_variants(tag: str, variant: str, expected: str) -> None:
    """A known variant is replaced, not added to."""
    assert image_reference("h", "p", tag, variant) == expected


@pytest.mark.parametrize(
    ("image", "config", "annotations", "expected"),
    [
        ("proxyv2", {}, {}, "hub/proxyv2:7-slim"),
        ("proxyv2", {"image": {"imageType": "debug"}}, {}, "hub/proxyv2:7-debug"),
        ("proxyv2", {"image": {"imageType": "debug"}}, {"sidecar.istio.io/proxyImageType": "default"}, "hub/proxyv2:7"),
        ("registry/me/proxy:1", {}, {}, "registry/me/proxy:1"),
    ],
)
def test_who_decides(image: str, config: dict[str, Any], annotations: dict[str, str], expected: str) -> None:
    """The pod before its settings before the values; a whole reference is taken as it is."""
    values = {"global": {"hub": "hub", "tag": 7, "variant": "slim", "proxy": {"image": image}}}
    assert proxy_image(values, section="proxy", proxy_config=config, annotations=annotations) == expected


def test_without_values() -> None:
    """Something that the API server refuses clearly, rather than a crash."""
    assert proxy_image({}, section="proxy", proxy_config={}, annotations={}) == "/proxyv2:"
