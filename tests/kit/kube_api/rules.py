"""What the real server refuses of built-in kinds, as far as programs are likely to get it wrong.

Each rule gives causes of a 422, or raises 400 for what does not even decode.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tests.kit.kube_api.errors import bad_request, invalid
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, meta
from tests.kit.kube_api.structural import Cause

__all__ = ["check_rules"]

_LABEL_VALUE: Final = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_QUALIFIED: Final = re.compile(r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_DNS_LABEL: Final = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_DATA_KEY: Final = re.compile(r"^[-._a-zA-Z0-9]{1,253}$")
_MICRO_TIME: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
_FAMILIES: Final = {"IPv4": 4, "IPv6": 6}
_MOST_ADDRESSES: Final = 100

Rule = Callable[[Json, Json | None], Iterator[Cause]]


def check_rules(kind: Kind, new: Json, old: Json | None) -> None:
    """Return if the server would take the object.

    Raises:
        StatusError: 400 or 422.
    """
    causes = [*_metadata(new)]
    rule = None if kind.custom else _RULES.get((kind.group, kind.kind))
    if rule is not None:
        causes += rule(new, old)
    if causes:
        raise invalid(kind.kind, kind.group, meta(new).get("name", ""), causes)


def _required(field: str) -> Cause:
    return field, "FieldValueRequired", "Required value"


def _wrong(field: str, value: object, why: str) -> Cause:
    return field, "FieldValueInvalid", f'Invalid value: "{value}": {why}'


def _immutable(field: str, value: object) -> Cause:
    return _wrong(field, value, "field is immutable")


def _texts(item: Mapping[str, Any], field: str) -> dict[str, str]:
    values: dict[str, Any] = item.get(field) or {}
    for name, value in values.items():
        if not isinstance(value, str):
            kind = "bool" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "object"
            raise bad_request(f"json: cannot unmarshal {kind} into Go struct field .{field} ({name}) of type string")
    return values


def _metadata(item: Json) -> Iterator[Cause]:
    for name, value in _texts(meta(item), "labels").items():
        if not _QUALIFIED.match(name):
            yield _wrong("metadata.labels", name, "name part must consist of alphanumeric characters, '-', '_' or '.'")
        if len(value) > 63 or not _LABEL_VALUE.match(value):
            yield _wrong("metadata.labels", value, "a valid label must be an empty string or consist of alphanumerics")
    for name in _texts(meta(item), "annotations"):
        if not _QUALIFIED.match(name.lower()):
            yield _wrong("metadata.annotations", name, "name part must consist of alphanumeric characters")


def _micro_time(item: Mapping[str, Any], field: str) -> None:
    value = item.get(field)
    if value is not None and not _MICRO_TIME.match(str(value)):
        raise bad_request(f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse .{field}')


def _lease(new: Json, _: Json | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    for field in ("acquireTime", "renewTime"):
        _micro_time(spec, field)
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        yield _wrong("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
        yield _wrong("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0")


def _event(new: Json, old: Json | None) -> Iterator[Cause]:
    _micro_time(new, "eventTime")
    for field in ("eventTime", "reportingController", "reportingInstance", "action", "reason") if old is None else ():
        if not new.get(field):
            yield _required(field)
    if new.get("type") not in ("Normal", "Warning"):
        yield _wrong("type", new.get("type", ""), "")


def _data(new: Json, old: Json | None) -> Iterator[Cause]:
    for field in ("data", "binaryData"):
        for name in _texts(new, field):
            if not _DATA_KEY.match(name):
                why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield _wrong(f"{field}[{name}]", name, why)
    if (
        old is not None
        and old.get("immutable")
        and any(new.get(name) != old.get(name) for name in ("data", "binaryData"))
    ):
        yield "data", "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set"
    if old is not None and new.get("type") != old.get("type"):
        yield _immutable("type", new.get("type"))


def _service(new: Json, old: Json | None) -> Iterator[Cause]:
    spec = new["spec"]
    ports = spec.get("ports") or []
    names = [port.get("name") for port in ports]
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        if not 0 < int(port.get("port") or 0) < 65536:
            yield _wrong(f"{field}.port", port.get("port", 0), "must be between 1 and 65535, inclusive")
        if len(ports) > 1 and not port.get("name"):
            yield _required(f"{field}.name")
        elif port.get("name") and port["name"] in names[:index]:
            yield f"{field}.name", "FieldValueDuplicate", f'Duplicate value: "{port["name"]}"'
    before = (old or {}).get("spec") or {}
    given = before.get("clusterIP")
    if given and spec.get("type") != "ExternalName" and spec.get("clusterIP") and spec["clusterIP"] != given:
        yield _immutable("spec.clusterIPs[0]", spec["clusterIP"])


def _endpoint_slice(new: Json, old: Json | None) -> Iterator[Cause]:
    family = new.get("addressType")
    if not family:
        yield _required("addressType")
    elif family not in (*_FAMILIES, "FQDN"):
        yield "addressType", "FieldValueNotSupported", f'Unsupported value: "{family}"'
    if old is not None and family != old.get("addressType"):
        yield _immutable("addressType", family)
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        field = f"endpoints[{index}].addresses"
        addresses = endpoint.get("addresses") or []
        if not addresses:
            yield field, "FieldValueRequired", "Required value: must contain at least 1 address"
        if len(addresses) > _MOST_ADDRESSES:
            yield field, "FieldValueTooMany", f"Too many: {len(addresses)}: must have at most {_MOST_ADDRESSES} items"
        for address in addresses:
            if family in _FAMILIES and not _is_address(address, _FAMILIES[family]):
                yield _wrong(field, address, f"must be an {family} address")


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _pod_spec(spec: Mapping[str, Any], path: str) -> Iterator[Cause]:
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    seen: list[str] = []
    for list_name in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(list_name) or ()):
            field = f"{path}.{list_name}[{index}]"
            yield from _container(container, field, seen)
            for number, mount in enumerate(container.get("volumeMounts") or ()):
                if mount.get("name") not in volumes:
                    where, name = f"{field}.volumeMounts[{number}].name", mount.get("name")
                    yield where, "FieldValueNotFound", f'Not found: "{name}"'
            seen.append(container.get("name", ""))


def _container(container: Json, field: str, seen: list[str]) -> Iterator[Cause]:
    name = container.get("name", "")
    if not name:
        yield _required(f"{field}.name")
    elif not _DNS_LABEL.match(name):
        yield _wrong(f"{field}.name", name, "a lowercase RFC 1123 label")
    if name in seen:
        yield f"{field}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"'
    if not container.get("image"):
        yield _required(f"{field}.image")


def _pod(new: Json, _: Json | None) -> Iterator[Cause]:
    yield from _pod_spec(new["spec"], "spec")


def _workload(new: Json, old: Json | None) -> Iterator[Cause]:
    spec = new["spec"]
    selector = spec.get("selector")
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not selector:
        yield _required("spec.selector")
    elif any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        yield _wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if old is not None and selector != old["spec"].get("selector"):
        yield _immutable("spec.selector", selector)
    yield from _pod_spec(spec["template"]["spec"], "spec.template.spec")


def _binding(new: Json, old: Json | None) -> Iterator[Cause]:
    if old is not None and new.get("roleRef") != old.get("roleRef"):
        yield _wrong("roleRef", new.get("roleRef"), "cannot change roleRef")


def _webhooks(new: Json, _: Json | None) -> Iterator[Cause]:
    for index, hook in enumerate(new.get("webhooks") or ()):
        field = f"webhooks[{index}]"
        if hook.get("name", "").count(".") < 2:
            yield _wrong(f"{field}.name", hook.get("name", ""), "should be a domain with at least three segments")
        if not hook.get("admissionReviewVersions"):
            yield _required(f"{field}.admissionReviewVersions")
        if not hook.get("sideEffects"):
            yield _required(f"{field}.sideEffects")
        elif hook["sideEffects"] not in ("None", "NoneOnDryRun"):
            yield f"{field}.sideEffects", "FieldValueNotSupported", f'Unsupported value: "{hook["sideEffects"]}"'
        client = hook.get("clientConfig") or {}
        if bool(client.get("url")) == bool(client.get("service")):
            yield (
                f"{field}.clientConfig",
                "FieldValueRequired",
                "Required value: exactly one of url or service is required",
            )


_RULES: Final[Mapping[tuple[str, str], Rule]] = {
    ("", "ConfigMap"): _data,
    ("", "Pod"): _pod,
    ("", "Secret"): _data,
    ("", "Service"): _service,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _webhooks,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _webhooks,
    ("apps", "DaemonSet"): _workload,
    ("apps", "Deployment"): _workload,
    ("apps", "ReplicaSet"): _workload,
    ("apps", "StatefulSet"): _workload,
    ("coordination.k8s.io", "Lease"): _lease,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
    ("events.k8s.io", "Event"): _event,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _binding,
    ("rbac.authorization.k8s.io", "RoleBinding"): _binding,
}
