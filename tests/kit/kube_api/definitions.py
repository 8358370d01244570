"""CustomResourceDefinitions: creating one serves its resources, deleting it takes them and their objects away."""

from __future__ import annotations

from tests.kit.kube_api.deleting import Deleter
from tests.kit.kube_api.errors import invalid
from tests.kit.kube_api.kinds import Kind, ResourceId
from tests.kit.kube_api.objects import Json, meta
from tests.kit.kube_api.state import CRDS, State
from tests.kit.kube_api.store import Event, EventType
from tests.kit.kube_api.watching import End

__all__ = ["Definitions", "check_definition", "kinds_of"]


def kinds_of(definition: Json) -> tuple[Kind, ...]:
    """The kinds that a definition serves, the preferred version first."""
    spec = definition["spec"]
    names = spec["names"]
    served = [version for version in spec["versions"] if version.get("served")]
    return tuple(
        Kind(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            namespaced=spec["scope"] == "Namespaced",
            status="status" in (version.get("subresources") or {}),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            list_kind=names.get("listKind") or f"{names['kind']}List",
            custom=True,
            schema=(version.get("schema") or {}).get("openAPIV3Schema"),
            columns=tuple(version.get("additionalPrinterColumns") or ()),
        )
        for version in sorted(served, key=lambda version: _priority(version["name"]))
    )


def _priority(version: str) -> tuple[int, int, int]:
    """Stable before beta before alpha, newer first: `v2`, `v1`, `v1beta1`, `v1alpha1`."""
    digits = version.lstrip("v")
    for rank, word in enumerate(("", "beta", "alpha")):
        major, found, minor = digits.partition(word) if word else (digits, "", "0")
        if major.isdigit() and (found or not word) and minor.isdigit():
            return rank, -int(major), -int(minor)
    return 3, 0, 0


def check_definition(item: Json) -> Json:
    """The definition, if it can be served.

    Raises:
        StatusError: 422.
    """
    spec, name = item.get("spec") or {}, meta(item).get("name", "")
    causes = []
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
    if name != wanted:
        why = f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group'
        causes.append(("metadata.name", "FieldValueInvalid", why))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        causes.append(("spec.scope", "FieldValueRequired", "Required value"))
    stored = [version for version in spec.get("versions") or () if version.get("storage")]
    if len(stored) != 1:
        why = "Invalid value: must have exactly one version marked as storage version"
        causes.append(("spec.versions", "FieldValueInvalid", why))
    for index, version in enumerate(spec.get("versions") or ()):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            causes.append((f"spec.versions[{index}].schema.openAPIV3Schema", "FieldValueRequired", "Required value"))
    if causes:
        raise invalid("CustomResourceDefinition", "apiextensions.k8s.io", name, causes)
    return item


class Definitions:
    """Follows the definitions in the store."""

    def __init__(self, state: State, deleter: Deleter) -> None:
        self._state = state
        self._deleter = deleter
        state.store.observe(self._on_event)

    def _on_event(self, event: Event) -> None:
        if event.resource != CRDS:
            return
        spec = event.item["spec"]
        resource = ResourceId(spec["group"], spec["names"]["plural"])
        if event.type is EventType.DELETED:
            self._deleter.remove_all(resource)
            self._state.kinds.serve(resource, ())
            self._end_watches(resource)
        elif event.previous is None or event.previous["spec"] != spec:
            self._state.kinds.serve(resource, kinds_of(event.item))
            if event.previous is not None:
                self._end_watches(resource)  # the real server makes a new store for the changed definition
            self._accept(event.item)

    def _accept(self, definition: Json) -> None:
        names = {"singular": definition["spec"]["names"]["kind"].lower(), **definition["spec"]["names"]}
        names.setdefault("listKind", f"{names['kind']}List")
        now = self._state.now_text()
        before = definition.get("status") or {}
        stored = [version["name"] for version in definition["spec"]["versions"] if version["storage"]]
        status = {
            "acceptedNames": names,
            "conditions": before.get("conditions")
            or [
                _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
                _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
            ],
            "storedVersions": list(dict.fromkeys([*before.get("storedVersions", []), *stored])),
        }
        self._state.store.put(CRDS, {**definition, "status": status})

    def _end_watches(self, resource: ResourceId) -> None:
        for watch in self._state.watches.of(resource):
            watch.end(End.CLEAN)


def _condition(name: str, reason: str, message: str, now: str) -> Json:
    return {"type": name, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}
