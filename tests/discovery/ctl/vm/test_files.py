"""The files for a virtual machine, as bytes."""

from __future__ import annotations

import shlex

import pytest
import yaml

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.files import build_files, render_environment
from tests.kit.vm import vm_request


def _environment(data: bytes) -> dict[str, str]:
    return dict(shlex.split(line)[0].split("=", 1) for line in data.decode().splitlines())


def test_ports_of_the_group_are_captured() -> None:
    """Each once, in order; without ports all are."""
    spec = {"template": {"ports": {"b": 9090, "a": 8080, "c": 8080}}}
    files = build_files(vm_request(spec))
    assert _environment(files["cluster.env"])["ISTIO_INBOUND_PORTS"] == "8080,9090"
    assert _environment(build_files(vm_request())["cluster.env"])["ISTIO_INBOUND_PORTS"] == "*"


def test_an_address_from_outside_is_not_probed() -> None:
    """The machine may not have it itself; one from inside comes first."""
    outside = _environment(build_files(vm_request(external_ip="203.0.113.7"))["cluster.env"])
    assert outside["ISTIO_SVC_IP"] == "203.0.113.7"
    assert outside["REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION"] == "true"
    both = _environment(build_files(vm_request(external_ip="203.0.113.7", internal_ip="10.0.0.7"))["cluster.env"])
    assert both["ISTIO_SVC_IP"] == "10.0.0.7"
    assert "REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION" not in both


def test_a_revision_names_the_control_plane() -> None:
    """In the CA's address, in mesh.yaml and in hosts; the revision `default` has no name."""
    files = build_files(vm_request(revision="canary", ingress_ip="10.0.0.1"))
    assert _environment(files["cluster.env"])["CA_ADDR"] == "istiod-canary.istio-system.svc:15012"
    config = yaml.safe_load(files["mesh.yaml"])["defaultConfig"]
    assert config["discoveryAddress"] == "istiod-canary.istio-system.svc:15012"
    assert files["hosts"] == b"10.0.0.1 istiod-canary.istio-system.svc\n"
    assert b"CA_ADDR" not in build_files(vm_request(revision="default"))["cluster.env"]


def test_variables_of_the_mesh_configuration_win() -> None:
    """So that a group can say which ports are captured."""
    mesh = {"defaultConfig": {"proxyMetadata": {"ISTIO_INBOUND_PORTS": "1"}}}
    assert _environment(build_files(vm_request(mesh=mesh))["cluster.env"])["ISTIO_INBOUND_PORTS"] == "1"


def test_values_are_quoted_for_a_shell() -> None:
    """Whatever they hold, they stay values."""
    value = 'it\'s $(date) `id` \\ "x"'
    (line,) = render_environment({"A": value}).splitlines()
    assert shlex.split(line) == [f"A={value}"]


def test_a_name_that_would_run_is_refused() -> None:
    """The file is sourced."""
    with pytest.raises(CtlError, match=r"'x;reboot' cannot be an environment variable"):
        render_environment({"x;reboot": ""})
