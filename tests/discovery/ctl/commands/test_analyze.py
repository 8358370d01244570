"""`pilotctl analyze`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from discovery.ctl.commands.analyze import message_data
from discovery.schema.meta import Origin
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.registry import ANALYZERS
from tests.kit.ctl import pilotctl
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_cluster import crds, service

GOOD = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}\n"
BAD = (
    "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, "
    "spec: {hosts: [web], http: [{timeout: soon}]}}\n"
)
LOST = (
    "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, "
    "spec: {hosts: [web], http: [{route: [{destination: {host: nowhere}}]}]}}\n"
)


def test_manifests_come_from_a_pipe() -> None:
    """Which can be read once only."""
    done = pilotctl("analyze", "-", text=GOOD + "---\n" + LOST)
    assert "Error [IST0101] (VirtualService default/web -:3)" in done.output
    assert done.output.endswith("2 objects in 1 files, 1 messages\n")


def test_messages_are_printed_and_an_error_is_exit_status_1(tmp_path: Path) -> None:
    """With level, code, object, file and line, and what was wanted."""
    (tmp_path / "a.yaml").write_text(BAD, encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path))
    assert done.exit_code == 1
    assert (
        f"Error [IST0106] (VirtualService default/web {tmp_path}/a.yaml:1) spec.http[0].timeout: want a" in done.output
    )
    assert done.output.endswith("1 objects in 1 files, 1 messages\n")


def test_objects_are_judged_together(tmp_path: Path) -> None:
    """What is right by itself may lead nowhere; the namespace of the command is that of objects without one."""
    (tmp_path / "a.yaml").write_text(LOST, encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path), "-n", "shop", "-o", "json")
    assert done.exit_code == 1
    (message,) = json.loads(done.output)
    assert (message["code"], message["resource"], message["line"]) == ("IST0101", "VirtualService shop/web", 1)


def test_nothing_wrong_is_exit_status_0(tmp_path: Path) -> None:
    """As JSON: an empty list."""
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    assert pilotctl("analyze", str(tmp_path)).exit_code == 0
    assert json.loads(pilotctl("analyze", str(tmp_path), "-o", "json").output) == []


def test_warnings_alone_do_not_fail_unless_asked(tmp_path: Path) -> None:
    """The object is served, perhaps not as meant."""
    (tmp_path / "a.yaml").write_text("hello: world\n", encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path))
    assert done.output.startswith("Warning [IST0133] ")
    assert done.exit_code == 0
    assert pilotctl("analyze", str(tmp_path), "--failure-threshold", "warning").exit_code == 1
    assert pilotctl("analyze", str(tmp_path), "--output-threshold", "Error", "-o", "json").output == "[]\n"


def test_messages_can_be_suppressed(tmp_path: Path) -> None:
    """By code and object; a typo is told."""
    (tmp_path / "a.yaml").write_text(LOST, encoding="utf-8")
    assert pilotctl("analyze", str(tmp_path), "-S", "IST0101=VirtualService web.default").exit_code == 0
    done = pilotctl("analyze", str(tmp_path), "-S", "IST0101")
    assert done.exit_code != 0
    assert "--suppress: want CODE=OBJECT" in done.output


@pytest.mark.parametrize("analyzer", list(ANALYZERS))
def test_analyzers_can_be_listed(analyzer: str) -> None:
    """Without any path."""
    assert analyzer in pilotctl("analyze", "-L").output.splitlines()


def test_a_path_or_a_cluster_is_wanted(tmp_path: Path) -> None:
    """Or there is nothing to look at."""
    done = pilotctl("analyze", "--use-kube=false")
    assert done.exit_code != 0
    assert "nothing to analyze; give one or more paths" in done.output
    done = pilotctl("analyze", "--kubeconfig", str(tmp_path / "none"))
    assert done.exit_code != 0
    assert f"without a PATH a cluster is analyzed: cluster of {tmp_path}/none: " in done.output


async def _analyze(api: KubeApi, *arguments: str) -> tuple[int, set[tuple[str, str]]]:
    """The exit status, and code and object of each message."""
    where = ("--kubeconfig", str(api.kubeconfig), "-i", "no-such-namespace", "-o", "json")
    done = await asyncio.to_thread(pilotctl, "analyze", *where, *arguments)
    return done.exit_code, {(message["code"], message["resource"]) for message in json.loads(done.stdout)}


async def test_a_cluster_is_analyzed(kube_api: KubeApi) -> None:
    """Without any file; of one namespace, or of all."""
    await kube_api.apply(*crds("virtualservices"))
    shop, bank = await kube_api.new_namespace(), await kube_api.new_namespace()
    for namespace in (shop, bank):
        await kube_api.apply(_lost(namespace))
    _, told = await _analyze(kube_api)
    lost = {("IST0101", f"VirtualService {namespace}/web") for namespace in (shop, bank)}
    assert told >= lost
    status, told = await _analyze(kube_api, "-n", shop)
    assert status == 1
    assert told == {("IST0101", f"VirtualService {shop}/web"), ("IST0102", f"Namespace {shop}")}
    _, told = await _analyze(kube_api, "-n", shop, "-A")
    assert told >= lost


async def test_files_are_judged_in_a_cluster_before_they_are_applied(kube_api: KubeApi, tmp_path: Path) -> None:
    """What they refer to may be there; what they have too, they will replace."""
    await kube_api.apply(*crds("virtualservices"))
    shop = await kube_api.new_namespace()
    await kube_api.apply(_lost(shop), service("there", shop))
    path = tmp_path / "web.yaml"
    path.write_text(json.dumps(_lost(shop, host="there")), encoding="utf-8")
    _, told = await _analyze(kube_api, str(path))
    assert ("IST0101", f"VirtualService {shop}/web") in told
    status, told = await _analyze(kube_api, str(path), "--use-kube", "true", "-n", shop)
    assert status == 0
    assert told == {("IST0102", f"Namespace {shop}")}


async def test_an_object_that_breaks_a_rule_in_a_cluster_is_told(kube_api: KubeApi) -> None:
    """It was there before the rule, or nobody asked the webhook."""
    await kube_api.apply(*crds("virtualservices"))
    shop = await kube_api.new_namespace()
    await kube_api.apply(service("there", shop), _lost(shop, host="there", timeout="10.5ms"))
    _, told = await _analyze(kube_api, "-n", shop)
    assert ("IST0106", f"VirtualService {shop}/web") in told


async def test_who_may_not_read_all_is_told_so(kube_api: KubeApi, tmp_path: Path) -> None:
    """On the error stream, so that JSON stays JSON."""
    shop = await kube_api.new_namespace()
    kube_api.enforce_rbac()
    kubeconfig = kube_api.write_kubeconfig(tmp_path / "nobody", await kube_api.token_for(shop, "nobody"))
    done = await asyncio.to_thread(pilotctl, "analyze", "--kubeconfig", str(kubeconfig), "-o", "json")
    assert json.loads(done.stdout) == []
    assert "Not read, so what refers to it is told to be missing: secrets: " in done.stderr


def _lost(namespace: str, *, host: str = "nowhere", timeout: str = "1s") -> dict[str, Any]:
    spec = {"hosts": ["web"], "http": [{"timeout": timeout, "route": [{"destination": {"host": host}}]}]}
    metadata = {"name": "web", "namespace": namespace}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


def test_a_message_as_data() -> None:
    """Every part under its name."""
    message = Message(
        code=Code.DEPRECATED, resource="VirtualService a/b", text="old", hint="mend it", origin=Origin("d", "f", 2)
    )
    assert message_data(message) == {
        "code": "IST0002",
        "level": "Warning",
        "resource": "VirtualService a/b",
        "file": "f",
        "line": 2,
        "message": "old",
        "hint": "mend it",
    }
