"""Rules of WasmPlugin and TrafficExtension."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"url": "oci://a/b:v1"}, []),
        ({"url": "registry.example:5000/plugin:v1"}, []),
        ({"url": "file:///a.wasm"}, []),
        ({"url": "gopher://a"}, ["url"]),
        ({"url": "http://[a"}, ["url"]),
        ({"url": "a b"}, ["url"]),
        ({"url": "oci://a/b", "vmConfig": {"env": [{"name": "A"}, {"name": "A"}]}}, ["vmConfig.env[1].name"]),
        (
            {"url": "oci://a/b", "vmConfig": {"env": [{"name": "A", "valueFrom": "HOST", "value": "x"}]}},
            ["vmConfig.env[0].value"],
        ),
        (
            {
                "url": "oci://a/b",
                "vmConfig": {"env": [{"name": "A", "valueFrom": "HOST"}, {"name": "B", "value": "x"}]},
            },
            [],
        ),
        ({"url": "oci://a/b", "match": [{"ports": [{"number": 80}, {"number": 80}]}]}, ["match[0].ports[1].number"]),
        (
            {
                "url": "oci://a/b",
                "selector": {},
                "targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}],
            },
            ["spec"],
        ),
    ],
)
def test_where_a_plugin_comes_from_and_what_it_sees(spec: dict[str, Any], where: list[str]) -> None:
    """Of the schemes that agents can fetch from; variables have one value."""
    assert errors("WasmPlugin", spec) == where


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, ["spec"]),
        ({"lua": {"inlineCode": "x"}}, []),
        ({"wasm": {"url": "ftp://a"}}, ["wasm.url"]),
        ({"wasm": {"url": "a", "vmConfig": {"env": [{"name": "A"}, {"name": "A"}]}}}, ["wasm.vmConfig.env[1].name"]),
        (
            {"lua": {"inlineCode": "x"}, "match": [{"ports": [{"number": 1}, {"number": 1}]}]},
            ["match[0].ports[1].number"],
        ),
    ],
)
def test_an_extension_has_code(spec: dict[str, Any], where: list[str]) -> None:
    """Without a script or a plugin there is nothing to run."""
    assert errors("TrafficExtension", spec) == where
