"""Variables in the webhook's path."""

from __future__ import annotations

import pytest

from discovery.webhooks.path_env import parse_path_env


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/inject", {}),
        ("/inject/", {}),
        ("/inject/cluster/c1/net/n1", {"ISTIO_META_CLUSTER_ID": "c1", "ISTIO_META_NETWORK": "n1"}),
        ("/inject/own_var/a--slash--b/", {"OWN_VAR": "a/b"}),
        ("/inject/cluster/c1/net", {"ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject/:ENV:cluster=c1:ENV:net=", {"ISTIO_META_CLUSTER_ID": "c1", "ISTIO_META_NETWORK": ""}),
        ("/inject/:ENV:own=a/b:ENV:=x:ENV:y", {"OWN": "a/b"}),
        ("/inject//x", {}),
    ],
)
def test_both_forms(path: str, expected: dict[str, str]) -> None:
    """What is incomplete is ignored."""
    assert parse_path_env(path) == expected
