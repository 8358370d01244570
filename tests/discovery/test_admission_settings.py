"""Settings of injection."""

from __future__ import annotations

import pytest

from discovery.inject.native_sidecar import NativeSidecars
from discovery.settings import FLAGS, Settings, SettingsError, load_settings


def loaded(environ: dict[str, str], **flags: str) -> Settings:
    """Settings with these variables, of a directory unless a cluster is named."""
    given = {flag.field: flag.default for flag in FLAGS} | ({} if "kubeconfig" in flags else {"configDir": "x"}) | flags
    return load_settings(given, environ)


def test_defaults() -> None:
    """Pods are injected; the nodes decide on native sidecars."""
    found = loaded({}).admission
    assert (found.inject, found.native, found.openshift, found.compliance_policy) == (
        True,
        NativeSidecars.AUTO,
        False,
        "",
    )


def test_all_are_read() -> None:
    """And templates see all variables."""
    environ = {
        "INJECT_ENABLED": "false",
        "ENABLE_NATIVE_SIDECARS": "True",
        "PLATFORM": "OpenShift",
        "COMPLIANCE_POLICY": "pqc",
        "OWN": "x",
    }
    found = loaded(environ).admission
    assert (found.inject, found.native, found.openshift, found.compliance_policy) == (
        False,
        NativeSidecars.TRUE,
        True,
        "pqc",
    )
    assert found.environ["OWN"] == "x"


def test_mistakes_are_told() -> None:
    """Both at once."""
    with pytest.raises(SettingsError) as refused:
        loaded({"ENABLE_NATIVE_SIDECARS": "perhaps", "COMPLIANCE_POLICY": "some"})
    told = "; ".join(refused.value.findings)
    assert "ENABLE_NATIVE_SIDECARS='perhaps'" in told
    assert "COMPLIANCE_POLICY='some'" in told


def test_where_webhooks_are_served() -> None:
    """With a cluster at their usual port; without one only if somebody asks for it."""
    cluster = loaded({}, kubeconfig="k").https
    assert cluster is not None
    assert cluster.port == 15017
    assert loaded({}).https is None
    asked = loaded({}, httpsAddr=":0").https
    assert asked is not None
    assert asked.port == 0
    assert loaded({}, kubeconfig="k", httpsAddr="").https is None
