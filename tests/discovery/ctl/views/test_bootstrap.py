"""Versions of a proxy."""

from __future__ import annotations

from discovery.ctl.dump import Dump
from discovery.ctl.views.bootstrap import version_summary


def test_versions_are_read_from_the_node() -> None:
    """The build's facts follow Envoy's number."""
    node = {
        "metadata": {"ISTIO_VERSION": "1.30.0", "ISTIO_PROXY_SHA": "istio-proxy:abc"},
        "user_agent_build_version": {
            "version": {"major_number": 1, "minor_number": 40},
            "metadata": {"revision.status": "Clean", "ssl.version": "BoringSSL"},
        },
    }
    kind = "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"
    shown = version_summary(Dump({"configs": [{"@type": kind, "bootstrap": {"node": node}}]}))
    assert shown.split() == [
        "Istio",
        "Version:",
        "1.30.0",
        "Istio",
        "Proxy",
        "Version:",
        "abc",
        "Envoy",
        "Version:",
        "1.40.0/Clean/BoringSSL",
    ]


def test_without_a_bootstrap_nothing_is_claimed() -> None:
    """The dump of a control plane has none."""
    assert "Envoy Version:       0.0.0\n" in version_summary(Dump({}))
