"""Rules of the parts of an AuthorizationPolicy rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"rules": [{"from": [{}]}]}, ["rules[0].from[0].source"]),
        ({"rules": [{"from": [{"source": {}}]}]}, ["rules[0].from[0].source"]),
        ({"rules": [{"to": [{}]}]}, ["rules[0].to[0].operation"]),
        ({"rules": [{"to": [{"operation": {}}]}]}, ["rules[0].to[0].operation"]),
        ({"rules": [{"from": [{"source": {"principals": [""]}}]}]}, ["rules[0].from[0].source.principals[0]"]),
        ({"rules": [{"from": [{"source": {"principals": ["a/*"], "namespaces": ["b"]}}]}]}, []),
        ({"rules": [{"from": [{"source": {"serviceAccounts": ["a", "b/c"]}}]}]}, []),
        (
            {"rules": [{"from": [{"source": {"serviceAccounts": ["a"], "notPrincipals": ["b"]}}]}]},
            ["rules[0].from[0].source.serviceAccounts"],
        ),
        (
            {"rules": [{"from": [{"source": {"notServiceAccounts": ["a"], "namespaces": ["b"]}}]}]},
            ["rules[0].from[0].source.serviceAccounts"],
        ),
        (
            {"rules": [{"from": [{"source": {"serviceAccounts": ["a/b/c"]}}]}]},
            ["rules[0].from[0].source.serviceAccounts[0]"],
        ),
        ({"rules": [{"from": [{"source": {"ipBlocks": ["10.0.0.0/8", "::1"]}}]}]}, []),
        ({"rules": [{"from": [{"source": {"ipBlocks": ["ten"]}}]}]}, ["rules[0].from[0].source.ipBlocks[0]"]),
        (
            {"rules": [{"from": [{"source": {"notRemoteIpBlocks": ["1.2.3.4/33"]}}]}]},
            ["rules[0].from[0].source.notRemoteIpBlocks[0]"],
        ),
        ({"rules": [{"to": [{"operation": {"ports": ["80", "65535"]}}]}]}, []),
        (
            {"rules": [{"to": [{"operation": {"ports": ["0", "65536", "http", "080000"]}}]}]},
            [
                "rules[0].to[0].operation.ports[0]",
                "rules[0].to[0].operation.ports[1]",
                "rules[0].to[0].operation.ports[2]",
                "rules[0].to[0].operation.ports[3]",
            ],
        ),
        ({"rules": [{"to": [{"operation": {"paths": ["/a*", "*", "/a/{*}/b", "/a/{**}", "/{*}"]}}]}]}, []),
        (
            {"rules": [{"to": [{"operation": {"paths": ["/a/{x}", "/a{*}", "/{**}/{*}", "/{*}/a*", "{*}"]}}]}]},
            [
                "rules[0].to[0].operation.paths[0]",
                "rules[0].to[0].operation.paths[1]",
                "rules[0].to[0].operation.paths[2]",
                "rules[0].to[0].operation.paths[3]",
                "rules[0].to[0].operation.paths[4]",
            ],
        ),
        ({"rules": [{"when": [{"key": "request.headers[x-a]", "values": ["b"]}]}]}, []),
        ({"rules": [{"when": [{"key": "request.auth.claims[a][b]", "notValues": ["b"]}]}]}, []),
        (
            {
                "rules": [
                    {"when": [{"key": "experimental.envoy.filters.network.mysql_proxy[db.table]", "values": ["b"]}]}
                ]
            },
            [],
        ),
        ({"rules": [{"when": [{"key": "request.headers", "values": ["b"]}]}]}, ["rules[0].when[0].key"]),
        ({"rules": [{"when": [{"key": "source.user", "values": ["b"]}]}]}, ["rules[0].when[0].key"]),
        ({"rules": [{"when": [{"key": "source.ip"}]}]}, ["rules[0].when[0].values"]),
        ({"rules": [{"when": [{"key": "source.ip", "values": ["b"]}]}]}, ["rules[0].when[0].values[0]"]),
        ({"rules": [{"when": [{"key": "destination.port", "notValues": ["0"]}]}]}, ["rules[0].when[0].notValues[0]"]),
    ],
)
def test_each_part_says_something_that_can_be(spec: dict[str, Any], where: list[str]) -> None:
    """An empty part, or one that matches nothing, is never what was meant."""
    assert errors("AuthorizationPolicy", spec) == where
