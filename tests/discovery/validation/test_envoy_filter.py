"""Rules of EnvoyFilter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings

ROUTER = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}


def patch(apply_to: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"configPatches": [{"applyTo": apply_to, "patch": {"operation": "MERGE", "value": value}}]}


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, []),
        ({"configPatches": [{}]}, ["configPatches[0].applyTo", "configPatches[0].patch.operation"]),
        (
            {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "MERGE"}}]},
            ["configPatches[0].patch.value"],
        ),
        ({"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}]}, []),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"listener": {}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            [],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"cluster": {}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.cluster"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "CLUSTER",
                        "match": {"listener": {}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.listener"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "VIRTUAL_HOST",
                        "match": {"listener": {}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.listener"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "VIRTUAL_HOST",
                        "match": {"routeConfiguration": {}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            [],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"proxy": {"proxyVersion": "1(.*"}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.proxy.proxyVersion"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"listener": {"filterChain": {"filter": {}}}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.listener.filterChain.filter.name"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {
                            "listener": {
                                "filterChain": {
                                    "filter": {
                                        "name": "envoy.filters.network.http_connection_manager",
                                        "subFilter": {"name": "a"},
                                    }
                                }
                            }
                        },
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            [],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {
                            "listener": {
                                "filterChain": {
                                    "filter": {"name": "envoy.filters.network.http_connection_manager", "subFilter": {}}
                                }
                            }
                        },
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.listener.filterChain.filter.subFilter.name"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"listener": {"filterChain": {"filter": {"name": "tcp", "subFilter": {"name": "a"}}}}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.listener.filterChain.filter.subFilter"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "NETWORK_FILTER",
                        "match": {
                            "listener": {
                                "filterChain": {
                                    "filter": {
                                        "name": "envoy.filters.network.http_connection_manager",
                                        "subFilter": {"name": "a"},
                                    }
                                }
                            }
                        },
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.listener.filterChain.filter.subFilter"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"context": "WAYPOINT"},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.waypoint"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"waypoint": {}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.waypoint"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"context": "WAYPOINT", "waypoint": {"portNumber": 80}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            [],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"context": "WAYPOINT", "waypoint": {"portNumber": 0}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match.waypoint.portNumber"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "CLUSTER",
                        "match": {"context": "WAYPOINT", "waypoint": {}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["configPatches[0].match"],
        ),
        (
            {
                "workloadSelector": {},
                "targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}],
            },
            ["spec"],
        ),
    ],
)
def test_patches_say_what_where_and_how(spec: dict[str, Any], where: list[str]) -> None:
    """What a patch looks for fits what it changes."""
    assert errors("EnvoyFilter", spec) == where


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, ["spec"]),
        (
            {
                "configPatches": [
                    {"applyTo": "HTTP_FILTER", "patch": {"operation": "ADD", "value": {"name": "envoy.lua"}}}
                ]
            },
            ["spec", "configPatches[0].patch.value", "configPatches[0].patch.value.name"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "FILTER_CHAIN",
                        "match": {"listener": {"filterChain": {"filter": {"name": "a"}}}},
                        "patch": {"operation": "ADD", "value": {"name": "a"}},
                    }
                ]
            },
            ["spec", "configPatches[0].match.listener.filterChain.filter"],
        ),
        (
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "match": {"proxy": {"proxyVersion": "1" * 1025}},
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": ROUTER}},
                    }
                ]
            },
            ["spec", "configPatches[0].match.proxy.proxyVersion"],
        ),
    ],
)
def test_what_may_change_or_has_no_effect(spec: dict[str, Any], where: list[str]) -> None:
    """Every such object depends on how proxies are configured inside."""
    assert errors("EnvoyFilter", spec) == []
    assert warnings("EnvoyFilter", spec) == where


@pytest.mark.parametrize(
    ("spec", "wrong", "odd"),
    [
        (patch("CLUSTER", {"name": "a", "connect_timeout": "1s"}), False, False),
        (patch("CLUSTER", {"name": 5}), True, False),
        (patch("CLUSTER", {"nope": 5}), False, True),
        (patch("BOOTSTRAP", {"stats_flush_interval": "1s"}), False, False),
        (patch("BOOTSTRAP", {"stats_flush_interval": 1}), True, False),
        (patch("HTTP_FILTER", {"name": "a", "typed_config": {**ROUTER, "dynamic_stats": "perhaps"}}), True, False),
        (patch("HTTP_FILTER", {"name": "a", "typed_config": {"@type": "my.Filter"}}), False, True),
        (patch("VIRTUAL_HOST", {"domains": ["a"], "routes": [{"match": {"prefix": "/"}}]}), False, False),
        (patch("VIRTUAL_HOST", {"domains": "a"}), True, False),
    ],
)
def test_values_are_such_as_envoy_can_read(spec: dict[str, Any], wrong: bool, odd: bool) -> None:
    """A field or extension that this Envoy does not know may be one of the user's own build."""
    where = "configPatches[0].patch.value"
    assert errors("EnvoyFilter", spec) == ([where] if wrong else [])
    assert warnings("EnvoyFilter", spec) == ["spec", *([where] if odd else [])]
