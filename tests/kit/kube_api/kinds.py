"""Which resources are served: the built-in ones, and those that CustomResourceDefinitions add and take away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from tests.kit.kube_api.objects import Json

__all__ = ["BUILTIN", "Kind", "Kinds", "ResourceId", "builtin_kinds"]


class ResourceId(msgspec.Struct, frozen=True, order=True):
    """What objects are stored under: versions share it."""

    group: str
    plural: str

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One served version of a resource.

    Attributes:
        status: whether `/status` is a subresource of its own (a write elsewhere leaves the status alone).
        schema: of a custom resource's version: its `openAPIV3Schema`; None for built-in kinds.
        columns: `additionalPrinterColumns` of a custom resource's version.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    status: bool = False
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    list_kind: str = ""
    custom: bool = False
    schema: Json | None = None
    columns: tuple[Json, ...] = ()

    @property
    def api_version(self) -> str:
        """`group/version`, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> ResourceId:
        """What its objects are stored under."""
        return ResourceId(self.group, self.plural)

    @property
    def kind_of_list(self) -> str:
        """The kind of an answer to list."""
        return self.list_kind or f"{self.kind}List"


# Each line: plural, kind, N(amespaced) or C(luster), S if it has a status subresource, short names, `@`categories.
BUILTIN: Final = {
    "v1": """
        bindings Binding N
        componentstatuses ComponentStatus C cs
        configmaps ConfigMap N cm
        endpoints Endpoints N ep
        events Event N ev
        limitranges LimitRange N limits
        namespaces Namespace C S ns
        nodes Node C S no
        persistentvolumeclaims PersistentVolumeClaim N S pvc
        persistentvolumes PersistentVolume C S pv
        pods Pod N S po @all
        podtemplates PodTemplate N
        replicationcontrollers ReplicationController N S rc @all
        resourcequotas ResourceQuota N S quota
        secrets Secret N
        serviceaccounts ServiceAccount N sa
        services Service N S svc @all
    """,
    "admissionregistration.k8s.io/v1": """
        mutatingwebhookconfigurations MutatingWebhookConfiguration C @api-extensions
        validatingadmissionpolicies ValidatingAdmissionPolicy C S @api-extensions
        validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding C @api-extensions
        validatingwebhookconfigurations ValidatingWebhookConfiguration C @api-extensions
    """,
    "apiextensions.k8s.io/v1": "customresourcedefinitions CustomResourceDefinition C S crd crds @api-extensions",
    "apiregistration.k8s.io/v1": "apiservices APIService C S @api-extensions",
    "apps/v1": """
        controllerrevisions ControllerRevision N
        daemonsets DaemonSet N S ds @all
        deployments Deployment N S deploy @all
        replicasets ReplicaSet N S rs @all
        statefulsets StatefulSet N S sts @all
    """,
    "authentication.k8s.io/v1": """
        selfsubjectreviews SelfSubjectReview C
        tokenreviews TokenReview C
    """,
    "authorization.k8s.io/v1": """
        localsubjectaccessreviews LocalSubjectAccessReview N
        selfsubjectaccessreviews SelfSubjectAccessReview C
        selfsubjectrulesreviews SelfSubjectRulesReview C
        subjectaccessreviews SubjectAccessReview C
    """,
    "autoscaling/v2": "horizontalpodautoscalers HorizontalPodAutoscaler N S hpa @all",
    "autoscaling/v1": "horizontalpodautoscalers HorizontalPodAutoscaler N S hpa @all",
    "batch/v1": """
        cronjobs CronJob N S cj @all
        jobs Job N S @all
    """,
    "certificates.k8s.io/v1": "certificatesigningrequests CertificateSigningRequest C S csr",
    "coordination.k8s.io/v1": "leases Lease N",
    "discovery.k8s.io/v1": "endpointslices EndpointSlice N",
    "events.k8s.io/v1": "events Event N ev",
    "networking.k8s.io/v1": """
        ingressclasses IngressClass C
        ingresses Ingress N S ing
        networkpolicies NetworkPolicy N netpol
    """,
    "node.k8s.io/v1": "runtimeclasses RuntimeClass C",
    "policy/v1": "poddisruptionbudgets PodDisruptionBudget N S pdb",
    "rbac.authorization.k8s.io/v1": """
        clusterrolebindings ClusterRoleBinding C
        clusterroles ClusterRole C
        rolebindings RoleBinding N
        roles Role N
    """,
    "scheduling.k8s.io/v1": "priorityclasses PriorityClass C pc",
    "storage.k8s.io/v1": """
        csidrivers CSIDriver C
        csinodes CSINode C
        storageclasses StorageClass C sc
        volumeattachments VolumeAttachment C S
    """,
}


def _parse(api_version: str, line: str) -> Kind:
    plural, kind, scope, *rest = line.split()
    group, _, version = api_version.rpartition("/")
    return Kind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=scope == "N",
        status="S" in rest,
        short_names=tuple(word for word in rest if word != "S" and not word.startswith("@")),
        categories=tuple(word[1:] for word in rest if word.startswith("@")),
    )


def builtin_kinds() -> tuple[Kind, ...]:
    """The kinds that every server has."""
    return tuple(
        _parse(api_version, line)
        for api_version, lines in BUILTIN.items()
        for line in lines.strip().splitlines()
        if line.strip()
    )


class Kinds:
    """The kinds served now, in order: the first version of a group is its preferred one."""

    def __init__(self) -> None:
        self._served: dict[tuple[str, str, str], Kind] = {
            (kind.group, kind.version, kind.plural): kind for kind in builtin_kinds()
        }

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._served.values()))

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind of a path."""
        return self._served.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """The kind of an object's own words."""
        return next((item for item in self if item.api_version == api_version and item.kind == kind), None)

    def of_resource(self, resource: ResourceId) -> tuple[Kind, ...]:
        """All served versions of a resource."""
        return tuple(kind for kind in self if kind.resource == resource)

    def serve(self, resource: ResourceId, kinds: tuple[Kind, ...]) -> None:
        """Serve exactly these versions of a custom resource from now on; none takes it away."""
        self._served = {key: kind for key, kind in self._served.items() if kind.resource != resource} | {
            (kind.group, kind.version, kind.plural): kind for kind in kinds
        }
