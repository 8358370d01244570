"""The order of containers."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.order import order_containers


def named(*names: str) -> list[dict[str, str]]:
    """Containers."""
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        (("a", "istio-init", "b"), ["a", "b", "istio-init"]),
        (("a", "istio-validation"), ["istio-validation", "a"]),
        (("a", "enable-core-dump", "istio-init"), ["a", "istio-init", "enable-core-dump"]),
        (
            ("a", "enable-core-dump", "istio-proxy", "istio-init"),
            ["istio-init", "istio-proxy", "enable-core-dump", "a"],
        ),
        (("a", "istio-proxy", "istio-validation"), ["istio-validation", "istio-proxy", "a"]),
        ((), []),
    ],
)
def test_init_containers(init: tuple[str, ...], expected: list[str]) -> None:
    """With a native sidecar all others run in the mesh, else all run before capture."""
    pod: dict[str, Any] = {"spec": {"containers": [], "initContainers": named(*init)}}
    order_containers(pod, proxy_first=False)
    assert [item["name"] for item in pod["spec"]["initContainers"]] == expected


@pytest.mark.parametrize(("first", "expected"), [(False, ["a", "b", "istio-proxy"]), (True, ["istio-proxy", "a", "b"])])
def test_containers(first: bool, expected: list[str]) -> None:
    """The proxy last, so that kubectl shows the application; first where the application has to wait for it."""
    pod: dict[str, Any] = {"spec": {"containers": named("a", "istio-proxy", "b")}}
    order_containers(pod, proxy_first=first)
    assert [item["name"] for item in pod["spec"]["containers"]] == expected
