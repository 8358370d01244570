"""What packages and scripts put on a machine, and that they take it away again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.clean_root import CleanRoot, clean_root, why_no_roots
from tests.kit.vm_packages import built_packages

_VM = Path(__file__).resolve().parents[2] / "examples/vm"
_ENV = "/var/lib/istio/envoy/sidecar.env"
_FILES = ("cluster.env", "mesh.yaml", "root-cert.pem", "istio-token", "hosts")

pytestmark = [
    pytest.mark.root,
    pytest.mark.envoy,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_no_roots()), reason=why_no_roots()),
]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[CleanRoot]:
    """A machine that was never in a mesh, with the files that it is to have, and with our scripts."""
    with clean_root(tmp_path) as root:
        for name in _FILES:
            root.write(f"/root/files/{name}", f"{name}\n")
        root.write("/root/files/cluster.env", "ISTIO_NAMESPACE='shop'\nISTIO_SVC_IP='10.90.0.2'\n")
        root.write("/root/files/hosts", "10.90.0.1 istiod.istio-system.svc\n")
        shutil.copytree(_VM, root.file("/root/vm"))
        yield root


def owners(root: CleanRoot, *paths: str) -> list[str]:
    return root.run("stat", "-c", "%U %a", *paths).splitlines()


def refused(root: CleanRoot, *command: str) -> str:
    done = subprocess.run(root.argv(*command), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def joined(root: CleanRoot) -> None:
    """What is the agent's only the agent and root can read; the machine knows the control plane's name, once."""
    for _ in range(2):
        root.run("pilot-agent-vm", "join", "/root/files")
    private = ("/etc/certs", "/etc/istio/proxy", "/run/secrets/tokens", "/run/secrets/tokens/istio-token")
    assert owners(root, *private) == ["istio-proxy 750", "istio-proxy 750", "istio-proxy 750", "istio-proxy 600"]
    assert owners(root, "/etc/istio/config/mesh", "/var/lib/istio/envoy/cluster.env") == ["root 644", "root 644"]
    assert root.run("grep", "-c", "istiod", "/etc/hosts").strip() == "1"


def test_debian_packages_are_installed_upgraded_and_purged(machine: CleanRoot) -> None:
    """What the machine's owner wrote stays until the purge; nothing starts before the machine joined a mesh."""
    for package in built_packages("deb").glob("*.deb"):
        shutil.copy(package, machine.file("/root"))
    install = ("sh", "-c", "dpkg -i /root/*.deb")
    machine.run(*install)
    assert machine.run("pilot-agent", "version", "--short").strip() == "0.1.0"
    assert "istio-proxy" in machine.run("getent", "passwd", "istio-proxy")
    assert machine.run("dpkg", "--verify") == ""
    assert "cluster.env is missing" in refused(machine, "pilot-agent-vm", "join", "/tmp")
    joined(machine)
    machine.write(_ENV, "POD_NAME='mine'\n")
    machine.run(*install)
    told = dict(line.split("=", 1) for line in machine.run("pilot-agent-vm", "env").splitlines())
    assert (told["POD_NAME"], told["POD_NAMESPACE"], told["INSTANCE_IP"]) == ("mine", "shop", "10.90.0.2")
    machine.run("dpkg", "--remove", "pilot-agent", "pilot-agent-envoy")
    assert machine.file(_ENV).exists()
    assert not machine.file("/usr/lib/pilot-agent").exists()
    machine.run("dpkg", "--purge", "pilot-agent")
    left = [path for path in ("/var/lib/istio", "/etc/istio", "/etc/certs") if machine.file(path).exists()]
    assert left == []


@pytest.mark.skipif(not shutil.which("rpmbuild"), reason="no rpmbuild: run .ci/prepare")
def test_rpm_packages_are_installed_and_erased(machine: CleanRoot) -> None:
    """By rpm itself, on a root of another family: what they need besides is for that family's installer to bring."""
    packages = sorted(map(str, built_packages("rpm").glob("*.rpm")))
    needs = subprocess.run(["rpm", "-qp", "--requires", packages[0]], capture_output=True, text=True, check=True).stdout
    assert "python3 >= 3." in needs
    rpm = ("rpm", "--root", str(machine.path), "--nodeps")
    subprocess.run([*rpm, "--install", *packages], check=True, timeout=120)
    assert machine.run("pilot-agent", "version", "--short").strip() == "0.1.0"
    assert machine.run("/usr/lib/pilot-agent/bin/envoy", "--version").strip()
    joined(machine)
    changed = subprocess.run([*rpm, "--verify", "pilot-agent", "pilot-agent-envoy"], capture_output=True, text=True)
    assert changed.stdout == ""
    subprocess.run([*rpm, "--erase", "pilot-agent", "pilot-agent-envoy"], check=True, timeout=120)
    assert not machine.file("/usr/lib/pilot-agent").exists()


def test_a_machine_without_packages_is_installed_by_the_script(machine: CleanRoot) -> None:
    """With a user, the unit and the same files; where the agent comes from is somebody else's business."""
    machine.run("/root/vm/install.sh", "/root/files")
    joined(machine)
    assert machine.file("/etc/systemd/system/pilot-agent.service").exists()
    assert "POD_NAMESPACE=shop" in machine.run("/usr/local/bin/pilot-agent-vm", "env").splitlines()


def test_a_machine_joins_again(machine: CleanRoot) -> None:
    """At another address of the control plane it knows no former one; of another mesh it keeps no identity."""
    machine.run("/root/vm/install.sh", "/root/files")
    machine.write("/etc/certs/key.pem", "of the first mesh\n")
    machine.write(
        "/etc/hosts", "127.0.0.1 localhost\n10.90.0.1 istiod.istio-system.svc\n::1 istiod.istio-system.svc.mine"
    )
    machine.write("/root/files/hosts", "10.90.0.9 istiod.istio-system.svc\n")
    machine.run("/usr/local/bin/pilot-agent-vm", "join", "/root/files")
    known = ["127.0.0.1 localhost", "::1 istiod.istio-system.svc.mine", "10.90.0.9 istiod.istio-system.svc"]
    assert machine.file("/etc/hosts").read_text().splitlines() == known
    assert machine.file("/etc/certs/key.pem").exists()
    machine.write("/root/files/root-cert.pem", "of the second mesh\n")
    machine.run("/usr/local/bin/pilot-agent-vm", "join", "/root/files")
    assert not machine.file("/etc/certs/key.pem").exists()


def test_capture_that_was_turned_off_is_removed(machine: CleanRoot) -> None:
    """At the end of the unit, whose settings may have changed since its start; rules of others are theirs."""
    machine.run("/root/vm/install.sh", "/root/files")
    machine.write("/usr/local/bin/pilot-agent", '#!/bin/sh\necho "$@"\n', mode=0o755)
    said = {}
    for setting in ("", "ISTIO_META_INTERCEPTION_MODE='NONE'", "ISTIO_CUSTOM_IP_TABLES='true'"):
        machine.write(_ENV, f"{setting}\n")
        said[setting] = [machine.run("/usr/local/bin/pilot-agent-vm", verb).strip() for verb in ("init", "clean")]
    assert list(said.values()) == [
        ["istio-iptables", "istio-iptables --cleanup-only"],
        ["", "istio-iptables --cleanup-only"],
        ["", ""],
    ]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_the_unit_is_one(tmp_path: Path) -> None:
    """systemd understands every line of it."""
    text = (
        (_VM / "pilot-agent.service").read_text(encoding="utf-8").replace("/usr/local/bin/pilot-agent-vm", "/bin/true")
    )
    unit = tmp_path / "pilot-agent.service"
    unit.write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
