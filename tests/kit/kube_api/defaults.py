"""Fields that the real server fills in on create and update, for the kinds where clients rely on them.

Only what programs read: the whole of Kubernetes' defaulting is thousands of lines, and the contract suite tells what is
true of both servers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.kit.kube_api.objects import Json, copied, meta, with_meta

__all__ = ["defaulted", "tracks_generation"]

_GENERATIONS: Final = frozenset(
    {"Pod", "EndpointSlice", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "Job", "CronJob"}
    | {"Deployment", "DaemonSet", "ReplicaSet", "StatefulSet", "ReplicationController", "CustomResourceDefinition"}
    | {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "PriorityClass", "RuntimeClass"}
    | {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
)


def tracks_generation(kind: str) -> bool:
    """Whether a built-in kind counts changes of its specification."""
    return kind in _GENERATIONS


def defaulted(kind: str, item: Json) -> Json:
    """The object with the fields filled in that its writer left out."""
    fill = _FILL.get(kind)
    if fill is None:
        return item
    filled = copied(item)
    fill(filled)
    return filled


def _missing(target: Json, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = copied({"value": value})["value"]


def _pod(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _pod_spec(spec)
    _missing(
        spec, {"serviceAccountName": "default", "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority"}
    )
    _missing(spec, {"serviceAccount": spec["serviceAccountName"], "priority": 0})
    _missing(item, {"status": {}})
    _missing(item["status"], {"phase": "Pending", "qosClass": _qos(spec)})


def _qos(spec: Json) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(part.get("requests") or part.get("limits") for part in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(part.get("limits") or {})
        and (part.get("requests") or part["limits"]) == part["limits"]
        for part in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _pod_spec(spec: Json) -> None:
    _missing(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    )
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        image = container.get("image", "")
        latest = ":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest")
        policy = {"imagePullPolicy": "Always" if latest and "@" not in image else "IfNotPresent"}
        path = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
        _missing(container, {"resources": {}, **path, **policy})
        for port in container.get("ports") or ():
            _missing(port, {"protocol": "TCP"})
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(name):
                _probe(container[name])


def _probe(probe: Json) -> None:
    _missing(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
    if probe.get("httpGet"):
        _missing(probe["httpGet"], {"path": "/", "scheme": "HTTP"})


def _template(spec: Json) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    _pod_spec(template.setdefault("spec", {}))


def _deployment(item: Json) -> None:
    spec = item.setdefault("spec", {})
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    _missing(spec, {"replicas": 1, "strategy": rolling, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    _template(spec)
    _missing(item, {"status": {}})


def _replicated(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _missing(spec, {"replicas": 1})
    _template(spec)
    _missing(item, {"status": {"replicas": 0}})


def _daemon_set(item: Json) -> None:
    spec = item.setdefault("spec", {})
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    _missing(spec, {"updateStrategy": rolling, "revisionHistoryLimit": 10})
    _template(spec)


def _job(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _missing(spec, {"parallelism": 1, "completions": 1, "backoffLimit": 6, "suspend": False})
    _missing(spec, {"completionMode": "NonIndexed"})
    _template(spec)
    _missing(item, {"status": {}})


def _service(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _missing(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["type"] != "ExternalName":
        _missing(spec, {"internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _missing(spec, {"externalTrafficPolicy": "Cluster"})
    for port in spec.get("ports") or ():
        _missing(port, {"protocol": "TCP", "targetPort": port.get("port")})
    _missing(item, {"status": {"loadBalancer": {}}})


def _namespace(item: Json) -> None:
    name = meta(item).get("name", "")
    if name:  # one that is to be generated is not known yet
        labels = {**(meta(item).get("labels") or {}), "kubernetes.io/metadata.name": name}
        item.update(with_meta(item, labels=labels))
    _missing(item, {"spec": {}, "status": {}})
    _missing(item["spec"], {"finalizers": ["kubernetes"]})
    _missing(item["status"], {"phase": "Active"})


def _secret(item: Json) -> None:
    texts: dict[str, str] = item.pop("stringData", None) or {}
    if texts:
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in texts.items()}
        item["data"] = {**(item.get("data") or {}), **encoded}
    _missing(item, {"type": "Opaque"})


def _endpoint_slice(item: Json) -> None:
    for port in item.get("ports") or ():
        _missing(port, {"name": "", "protocol": "TCP"})


def _webhooks(item: Json) -> None:
    for hook in item.get("webhooks") or ():
        _missing(hook, {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10})
        _missing(hook, {"namespaceSelector": {}, "objectSelector": {}})
        if item.get("kind", "").startswith("Mutating"):
            _missing(hook, {"reinvocationPolicy": "Never"})
        for rule in hook.get("rules") or ():
            _missing(rule, {"scope": "*"})
        if hook.get("clientConfig", {}).get("service"):
            _missing(hook["clientConfig"]["service"], {"port": 443})


def _role_binding(item: Json) -> None:
    _missing(item.get("roleRef") or {}, {"apiGroup": "rbac.authorization.k8s.io"})
    for subject in item.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            _missing(subject, {"apiGroup": "rbac.authorization.k8s.io"})


_FILL: Final[Mapping[str, Callable[[Json], None]]] = {
    "ClusterRoleBinding": _role_binding,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "EndpointSlice": _endpoint_slice,
    "Job": _job,
    "MutatingWebhookConfiguration": _webhooks,
    "Namespace": _namespace,
    "Pod": _pod,
    "ReplicaSet": _replicated,
    "RoleBinding": _role_binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _replicated,
    "ValidatingWebhookConfiguration": _webhooks,
}
