"""What is asked for, checked."""

from __future__ import annotations

import pytest

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.request import check_request
from tests.kit.vm import vm_request


def test_a_group_without_a_spec_has_defaults() -> None:
    """The service account of the namespace, no labels."""
    request = vm_request()
    check_request(request)
    assert (request.name, request.namespace, request.service_account, request.labels) == ("vm", "shop", "default", {})


@pytest.mark.parametrize("field", ["ingress_ip", "internal_ip", "external_ip"])
def test_an_address_is_an_address(field: str) -> None:
    """A name would break the files."""
    with pytest.raises(CtlError, match=r"'db.example' is no IP address"):
        check_request(vm_request(None, **{field: "db.example"}))


def test_the_cluster_must_be_named() -> None:
    """No cluster is asked for it."""
    with pytest.raises(CtlError, match="--clusterID"):
        check_request(vm_request(cluster_id=""))
