"""Flags and variables: istiod's names and meanings, and every mistake told at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.settings import FLAGS, VARIABLES, Address, Settings, SettingsError, load_settings

DEFAULTS = {flag.field: flag.default for flag in FLAGS}


def load(environ: dict[str, str] | None = None, **flags: Any) -> Settings:
    return load_settings({**DEFAULTS, "configDir": "/etc/mesh", **flags}, environ or {})


def test_defaults_are_istiods_ports() -> None:
    """What users of istiod expect without any flag."""
    settings = load()
    assert (settings.grpc, settings.secure_grpc) == (Address("", 15010), Address("", 15012))
    assert (settings.http, settings.monitoring) == (Address("", 8080), Address("", 15014))
    assert (settings.domain, settings.cluster_id, settings.namespace) == ("cluster.local", "Kubernetes", "istio-system")
    assert (settings.debounce_after, settings.debounce_max) == (timedelta(seconds=0.1), timedelta(seconds=10))


def test_an_empty_address_turns_the_port_off() -> None:
    """And IPv6 addresses are read with their brackets."""
    settings = load(grpcAddr="", httpAddr="[::1]:0")
    assert settings.grpc is None
    assert settings.http == Address("::1", 0)


def test_a_flag_wins_over_the_variable() -> None:
    """The variable wins over the default."""
    environ = {"CLUSTER_ID": "from-env"}
    assert load(environ).cluster_id == "from-env"
    assert load(environ, clusterID="from-flag").cluster_id == "from-flag"


def test_all_mistakes_are_told_at_once() -> None:
    """Each names the flag or variable, what it holds and what was wanted."""
    with pytest.raises(SettingsError) as caught:
        load(
            {"PILOT_DEBOUNCE_AFTER": "soon", "PILOT_ENABLE_VHDS": "perhaps"},
            grpcAddr="15010",
            httpAddr=":99999",
            tlsCertFile="/cert.pem",
            tokenKeysFile="/jwks.json",
        )
    findings = caught.value.findings
    assert [finding.split(":")[0].split(" ")[0] for finding in findings] == [
        "--httpAddr",
        "PILOT_DEBOUNCE_AFTER",
        "PILOT_ENABLE_VHDS='perhaps'",
        "--tlsCertFile",
        "--tokenKeysFile",
    ]


def test_a_source_of_configuration_is_needed() -> None:
    """Serving nothing to everybody would look like success."""
    with pytest.raises(SettingsError, match=r"--configDir.*--kubeconfig.*KUBERNETES_SERVICE_HOST"):
        load(configDir="")


IN_POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.mark.parametrize(
    ("environ", "flags", "reads"),
    [
        ({}, {}, False),
        ({}, {"kubeconfig": "k"}, True),
        ({}, {"kubeconfig": "k", "configDir": ""}, True),
        (IN_POD, {"configDir": ""}, True),
        (IN_POD, {}, False),
    ],
)
def test_which_cluster_is_read(environ: dict[str, str], flags: dict[str, str], *, reads: bool) -> None:
    """The one of the kubeconfig, or ours if there is no directory instead: a test in some pod is not in its cluster."""
    assert load(environ, **flags).reads_cluster is reads


def test_registries_and_rates_are_checked() -> None:
    """As istiod, only Kubernetes is a registry; none is possible too."""
    assert load(registries="").registries == ()
    assert (load().kubernetes_qps, load().kubernetes_burst) == (80, 160)
    with pytest.raises(SettingsError) as caught:
        load(registries="Mock", kubernetesApiQPS="many", kubernetesApiBurst="inf")
    assert [finding.split(":")[0].split(" ")[0] for finding in caught.value.findings] == [
        "--kubernetesApiQPS",
        "--kubernetesApiBurst",
        "--registries",
    ]


def test_every_flag_and_variable_is_told_about() -> None:
    """Help is not empty, names are unique."""
    assert all(flag.help and flag.group for flag in FLAGS)
    assert all(variable.help for variable in VARIABLES)
    names = [name for flag in FLAGS for name in flag.names]
    assert len(names) == len(set(names))
