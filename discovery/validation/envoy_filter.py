"""Rules of EnvoyFilter: whether each patch says what, where and how. The values are Envoy's own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from discovery.schema.envoy_filter import (
    ApplyTo,
    EnvoyConfigObjectMatch,
    EnvoyConfigObjectPatch,
    EnvoyFilter,
    FilterMatch,
    PatchContext,
    PatchOperation,
)
from discovery.schema.proto_json import Problem
from discovery.validation.fields import check_port, error, warning
from discovery.validation.policy_target import check_policy_target
from discovery.validation.regexes import regex_fault

__all__ = ["check_envoy_filter"]

_HCM: Final = "envoy.filters.network.http_connection_manager"
_LISTENER: Final = "listener"
_ROUTES: Final = "routeConfiguration"
_CLUSTER: Final = "cluster"
_WAYPOINT: Final = "waypoint"
_FITTING: Final = {
    ApplyTo.LISTENER: _LISTENER,
    ApplyTo.LISTENER_FILTER: _LISTENER,
    ApplyTo.FILTER_CHAIN: _LISTENER,
    ApplyTo.NETWORK_FILTER: _LISTENER,
    ApplyTo.HTTP_FILTER: _LISTENER,
    ApplyTo.ROUTE_CONFIGURATION: _ROUTES,
    ApplyTo.VIRTUAL_HOST: _ROUTES,
    ApplyTo.HTTP_ROUTE: _ROUTES,
    ApplyTo.CLUSTER: _CLUSTER,
}
_TYPES: Final = {
    ApplyTo.LISTENER: "envoy.config.listener.v3.Listener",
    ApplyTo.LISTENER_FILTER: "envoy.config.listener.v3.ListenerFilter",
    ApplyTo.FILTER_CHAIN: "envoy.config.listener.v3.FilterChain",
    ApplyTo.NETWORK_FILTER: "envoy.config.listener.v3.Filter",
    ApplyTo.HTTP_FILTER: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
    ApplyTo.ROUTE_CONFIGURATION: "envoy.config.route.v3.RouteConfiguration",
    ApplyTo.VIRTUAL_HOST: "envoy.config.route.v3.VirtualHost",
    ApplyTo.HTTP_ROUTE: "envoy.config.route.v3.Route",
    ApplyTo.CLUSTER: "envoy.config.cluster.v3.Cluster",
    ApplyTo.EXTENSION_CONFIG: "envoy.config.core.v3.TypedExtensionConfig",
    ApplyTo.BOOTSTRAP: "envoy.config.bootstrap.v3.Bootstrap",
}
_IN_WAYPOINTS: Final = (ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER, ApplyTo.HTTP_ROUTE)
_TYPED: Final = (ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER, ApplyTo.LISTENER_FILTER)
_ADDING: Final = (
    PatchOperation.ADD,
    PatchOperation.INSERT_BEFORE,
    PatchOperation.INSERT_AFTER,
    PatchOperation.INSERT_FIRST,
    PatchOperation.REPLACE,
)
_MAX_VERSION_LENGTH: Final = 1024

OLD_NAMES: Final = {
    "envoy.buffer": "envoy.filters.http.buffer",
    "envoy.cors": "envoy.filters.http.cors",
    "envoy.csrf": "envoy.filters.http.csrf",
    "envoy.ext_authz": "envoy.filters.http.ext_authz",
    "envoy.fault": "envoy.filters.http.fault",
    "envoy.grpc_http1_bridge": "envoy.filters.http.grpc_http1_bridge",
    "envoy.grpc_json_transcoder": "envoy.filters.http.grpc_json_transcoder",
    "envoy.grpc_web": "envoy.filters.http.grpc_web",
    "envoy.gzip": "envoy.filters.http.gzip",
    "envoy.health_check": "envoy.filters.http.health_check",
    "envoy.http_connection_manager": _HCM,
    "envoy.listener.http_inspector": "envoy.filters.listener.http_inspector",
    "envoy.listener.original_dst": "envoy.filters.listener.original_dst",
    "envoy.listener.proxy_protocol": "envoy.filters.listener.proxy_protocol",
    "envoy.listener.tls_inspector": "envoy.filters.listener.tls_inspector",
    "envoy.lua": "envoy.filters.http.lua",
    "envoy.mongo_proxy": "envoy.filters.network.mongo_proxy",
    "envoy.rate_limit": "envoy.filters.http.ratelimit",
    "envoy.ratelimit": "envoy.filters.network.ratelimit",
    "envoy.redis_proxy": "envoy.filters.network.redis_proxy",
    "envoy.router": "envoy.filters.http.router",
    "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
}
"""Names that Envoy gave up in 2021, and what the filters are called since then."""


def check_envoy_filter(spec: EnvoyFilter) -> Iterator[Problem]:
    """What is wrong with the patches."""
    yield from check_policy_target(spec.workload_selector, spec.target_refs, selector_name="workloadSelector")
    yield warning("spec", "depends on how proxies are configured inside, which may change with any release")
    for i, patch in enumerate(spec.config_patches):
        yield from _patch(patch, f"spec.configPatches[{i}]")


def _patch(patch: EnvoyConfigObjectPatch, at: str) -> Iterator[Problem]:
    if patch.apply_to is ApplyTo.INVALID:
        yield error(f"{at}.applyTo", "want what is patched, such as HTTP_FILTER, got none")
    if patch.patch is None or patch.patch.operation is PatchOperation.INVALID:
        yield error(f"{at}.patch.operation", "want an operation such as MERGE or ADD, got none")
    elif patch.patch.operation is not PatchOperation.REMOVE and patch.patch.value is None:
        yield error(f"{at}.patch.value", f"want a value for {patch.patch.operation}, got none")
    elif patch.patch.value is not None and patch.apply_to in _TYPES:
        yield from _value(_TYPES[patch.apply_to], patch.patch.value, f"{at}.patch.value")
    if patch.match is not None:
        yield from _match(patch.apply_to, patch.match, f"{at}.match")
    if patch.patch is not None and patch.apply_to in _TYPED and patch.patch.operation in _ADDING:
        value = patch.patch.value or {}
        if value and "typed_config" not in value and "config_discovery" not in value:
            yield warning(f"{at}.patch.value", "has no typed_config", "Envoy takes no filter without its type")
        yield from _name(str(value.get("name", "")), f"{at}.patch.value.name")


def _value(type_name: str, value: Mapping[str, Any], at: str) -> Iterator[Problem]:
    from discovery.wire.reflection import faults_of  # Envoy's classes, which most never need here

    faults = faults_of(type_name, value)
    if faults.error:
        yield error(at, f"want a {type_name}: {faults.error}")
    for odd in faults.odd:
        yield warning(at, odd)


def _match(applied: ApplyTo, match: EnvoyConfigObjectMatch, at: str) -> Iterator[Problem]:
    there = [
        name
        for name, part in (
            (_LISTENER, match.listener),
            (_ROUTES, match.route_configuration),
            (_CLUSTER, match.cluster),
            (_WAYPOINT, match.waypoint),
        )
        if part is not None
    ]
    in_waypoint = match.context is PatchContext.WAYPOINT
    if in_waypoint is not (match.waypoint is not None):
        yield error(f"{at}.waypoint", "goes with context WAYPOINT, and only with it")
    if in_waypoint and applied not in _IN_WAYPOINTS:
        yield error(at, f"{applied} is not possible in a waypoint")
    wanted = _FITTING.get(applied)
    if not in_waypoint and wanted is not None and there and there != [wanted] and match.waypoint is None:
        yield error(f"{at}.{there[0]}", f"does not go with applyTo {applied}", f"match by {wanted}")
    if match.proxy is not None and match.proxy.proxy_version:
        yield from _version(match.proxy.proxy_version, f"{at}.proxy.proxyVersion")
    chain = match.listener.filter_chain if match.listener is not None else None
    if chain is not None and chain.filter is not None:
        yield from _filter(applied, chain.filter, f"{at}.listener.filterChain.filter")
    if match.waypoint is not None:
        if match.waypoint.port_number is not None:
            yield from check_port(match.waypoint.port_number, f"{at}.waypoint.portNumber")
        if match.waypoint.filter is not None:
            yield from _filter(applied, match.waypoint.filter, f"{at}.waypoint.filter")


def _version(pattern: str, at: str) -> Iterator[Problem]:
    if len(pattern) > _MAX_VERSION_LENGTH:
        yield warning(at, f"has {len(pattern)} characters, more than {_MAX_VERSION_LENGTH}")
    fault = regex_fault(pattern)
    if fault:
        yield error(at, f"want a regular expression of RE2: {fault}")


def _filter(applied: ApplyTo, match: FilterMatch, at: str) -> Iterator[Problem]:
    if applied not in (ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER):
        yield warning(at, f"has no effect with applyTo {applied}", "it is for NETWORK_FILTER and HTTP_FILTER")
    if not match.name:
        yield error(f"{at}.name", "want the name of a network filter, got none")
    yield from _name(match.name, f"{at}.name")
    if match.sub_filter is None:
        return
    if applied is not ApplyTo.HTTP_FILTER:
        yield error(f"{at}.subFilter", f"does not go with applyTo {applied}", "it is for HTTP_FILTER")
    elif match.name and OLD_NAMES.get(match.name, match.name) != _HCM:
        yield error(f"{at}.subFilter", f"only the filter {_HCM} has filters in it, not {match.name!r}")
    if not match.sub_filter.name:
        yield error(f"{at}.subFilter.name", "want the name of an HTTP filter, got none")
    yield from _name(match.sub_filter.name, f"{at}.subFilter.name")


def _name(name: str, at: str) -> Iterator[Problem]:
    if name in OLD_NAMES:
        yield warning(at, f"{name!r} is a name of old", f"use {OLD_NAMES[name]}")
