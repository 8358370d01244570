"""EnvoyFilters whose patches may miss their place, or have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from discovery.schema.envoy_filter import ApplyTo, EnvoyConfigObjectPatch, EnvoyFilter, PatchOperation
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import about
from discovery.validation.analyze.world import World

__all__ = ["patches"]

_RELATIVE: Final = (PatchOperation.INSERT_BEFORE, PatchOperation.INSERT_AFTER, PatchOperation.REPLACE)
_DEPENDENT: Final = (*_RELATIVE, PatchOperation.MERGE, PatchOperation.REMOVE)
_FILTERS: Final = (ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER)
_FIXED: Final = (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.HTTP_ROUTE)
_FIRST = "use INSERT_FIRST or ADD, or set spec.priority"


def patches(world: World) -> Iterator[Message]:
    """Patches find what they refer to whatever order objects are applied in, and their operations exist."""
    for resource in world.of("EnvoyFilter"):
        spec: EnvoyFilter = resource.spec
        found = {
            code: text for patch in spec.config_patches for code, text in _patch(patch, ordered=bool(spec.priority))
        }
        for code, text in found.items():
            yield about(code, resource, text, _FIRST if "order" in text else "")


def _patch(patch: EnvoyConfigObjectPatch, *, ordered: bool) -> Iterator[tuple[Code, str]]:
    operation = patch.patch.operation if patch.patch is not None else PatchOperation.INVALID
    match = patch.match
    versioned = match is not None and match.proxy is not None and bool(match.proxy.proxy_version)
    if not ordered and operation in _RELATIVE:
        text = f"{operation} without priority depends on the order in which objects are applied"
        yield Code.ENVOY_FILTER_USES_RELATIVE_OPERATION, text
    if not ordered and versioned and operation in _DEPENDENT:
        text = f"{operation} without priority for one proxyVersion depends on the order of an upgrade"
        yield Code.ENVOY_FILTER_USES_RELATIVE_OPERATION_WITH_PROXY_VERSION, text
    if operation is PatchOperation.REPLACE and patch.apply_to not in _FILTERS:
        text = f"REPLACE is for HTTP_FILTER and NETWORK_FILTER, not for {patch.apply_to}"
        yield Code.ENVOY_FILTER_USES_REPLACE_OPERATION_INCORRECTLY, text
    if operation is PatchOperation.ADD and patch.apply_to in _FIXED:
        yield Code.ENVOY_FILTER_USES_ADD_OPERATION_INCORRECTLY, f"ADD has no effect on {patch.apply_to}"
    if operation is PatchOperation.REMOVE and patch.apply_to in _FIXED:
        yield Code.ENVOY_FILTER_USES_REMOVE_OPERATION_INCORRECTLY, f"REMOVE has no effect on {patch.apply_to}"
