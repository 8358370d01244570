"""All that the files of a virtual machine depend on, checked: the one argument of what makes them."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from discovery.ctl.errors import CtlError
from discovery.schema.meta import Object
from discovery.schema.workload_entry import WorkloadEntry
from discovery.schema.workload_group import WorkloadGroup

__all__ = ["DEFAULT_REVISION", "DEFAULT_SERVICE_ACCOUNT", "VmRequest", "check_request"]

DEFAULT_REVISION: Final = "default"
DEFAULT_SERVICE_ACCOUNT: Final = "default"


class VmRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        group: the WorkloadGroup.
        mesh: the mesh configuration as it was written, without defaults.
        root_cert: the roots of the mesh, PEM.
        token: proof of the service account; empty where one is put there otherwise.
        cluster_id: what the control plane calls the cluster that the machine belongs to.
        revision: of the control plane; empty or ``default``: the one without a name.
        ingress_ip: where the control plane's name leads, for ``hosts``.
        internal_ip: the machine's address in its network; empty: the agent finds it.
        external_ip: its address from outside, where callers come that way and no ``internal_ip`` is given.
    """

    group: Object
    mesh: Mapping[str, Any] = {}
    root_cert: bytes = b""
    token: str = ""
    cluster_id: str = ""
    istio_namespace: str = "istio-system"
    revision: str = ""
    ingress_ip: str = ""
    internal_ip: str = ""
    external_ip: str = ""
    capture_dns: bool = True
    auto_register: bool = False

    @property
    def spec(self) -> WorkloadGroup:
        """The group's spec."""
        spec: WorkloadGroup = self.group.spec
        return spec

    @property
    def template(self) -> WorkloadEntry:
        """What the group says of each workload."""
        return self.spec.template or WorkloadEntry()

    @property
    def name(self) -> str:
        """The group's name, which is also the workload's."""
        return self.group.key.name

    @property
    def namespace(self) -> str:
        """The group's namespace."""
        return self.group.key.namespace

    @property
    def told(self) -> str:
        """The group for people, with its place."""
        place = str(self.group.origin)
        return f"{place}: {self.group.key}" if place else str(self.group.key)

    @property
    def service_account(self) -> str:
        """Whose identity the workloads have."""
        return self.template.service_account or DEFAULT_SERVICE_ACCOUNT

    @property
    def labels(self) -> dict[str, str]:
        """Of the workloads; the template's are more particular than the group's."""
        metadata = self.spec.metadata
        return {**(metadata.labels if metadata else {}), **self.template.labels}


def check_request(request: VmRequest) -> None:
    """Refuse what would give files that do not work.

    Raises:
        CtlError: the text says which flag to give or mend.
    """
    if not request.cluster_id:
        raise CtlError(
            "failed to automatically determine the --clusterID: no cluster is asked; "
            "give the name that the control plane has for it (its --clusterID, by default Kubernetes)"
        )
    for flag, text in (
        ("--ingressIP", request.ingress_ip),
        ("--internalIP", request.internal_ip),
        ("--externalIP", request.external_ip),
    ):
        try:
            if text:
                ip_address(text)
        except ValueError as error:
            raise CtlError(f"{flag} {text!r} is no IP address; want for example 10.0.0.7 or fd00::7") from error
