"""The files for a virtual machine's agent, from a WorkloadGroup and the mesh configuration."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.files import build_files
from discovery.ctl.vm.read import group_of
from discovery.ctl.vm.request import VmRequest
from tests.kit.conformance import Case, cases


def _request(case: Case) -> VmRequest:
    """The case's flags; what the cluster holds comes from the fixture."""
    objects = {
        (document["kind"], document["metadata"]["name"]): document
        for document in yaml.safe_load_all(case.text(case["objects"]))
    }
    text = case.text(case["mesh_config"]) if case.get("mesh_config") else case["mesh_config_inline"]
    mesh: dict[str, Any] = yaml.safe_load(text)
    return VmRequest(
        group=group_of(case.path(case["workload_group"]), namespace="default"),
        mesh=mesh,
        root_cert=objects["ConfigMap", "istio-ca-root-cert"]["data"]["root-cert.pem"].encode(),
        token=objects["Secret", "test"]["data"]["token"],
        cluster_id=case["cluster_id"],
        istio_namespace=case["istio_namespace"],
        revision=case["revision"],
        internal_ip=case["internal_ip"],
        ingress_ip=case.get("ingress_ip", ""),
    )


@pytest.mark.parametrize("case", cases("vm"))
def test_vm(case: Case) -> None:
    """Each file equals the expected one, mesh.yaml as data; without a cluster id there are none."""
    request = _request(case)
    files = build_files(request)
    assert sorted(files) == sorted(case["outputs"])
    for name, expected in case["expected"].items():
        wanted = case.text(expected)
        if name == "mesh.yaml":
            assert yaml.safe_load(files[name]) == yaml.safe_load(wanted)
        else:
            assert files[name].decode() == wanted, name
    with pytest.raises(CtlError, match=case["without_cluster_id"]["error_contains"]):
        build_files(msgspec.structs.replace(request, cluster_id=""))
