"""Rules of EnvoyFilter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings


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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
                        "patch": {"operation": "ADD", "value": {"name": "a", "typed_config": {"@type": "t"}}},
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
