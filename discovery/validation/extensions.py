"""Rules of WasmPlugin and TrafficExtension: where code comes from, and what it may see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from discovery.schema.proto_json import Problem
from discovery.schema.traffic_extension import TrafficExtension
from discovery.schema.wasm_plugin import EnvValueSource, TrafficSelector, VmConfig, WasmPlugin
from discovery.validation.fields import error
from discovery.validation.policy_target import check_policy_target

__all__ = ["check_traffic_extension", "check_wasm_plugin"]

_SCHEMES: Final = ("", "http", "https", "file", "oci")


def check_wasm_plugin(spec: WasmPlugin) -> Iterator[Problem]:
    """What is wrong with the plugin."""
    yield from check_policy_target(spec.selector, spec.target_refs, spec.target_ref)
    yield from _url(spec.url, "spec.url")
    yield from _environment(spec.vm_config, "spec.vmConfig")
    yield from _traffic(spec.match, "spec.match")


def check_traffic_extension(spec: TrafficExtension) -> Iterator[Problem]:
    """What is wrong with the extension."""
    yield from check_policy_target(spec.selector, spec.target_refs)
    if spec.wasm is None and spec.lua is None:
        yield error("spec", "want wasm or lua, got none")
    if spec.wasm is not None:
        yield from _url(spec.wasm.url, "spec.wasm.url")
        yield from _environment(spec.wasm.vm_config, "spec.wasm.vmConfig")
    yield from _traffic(spec.match, "spec.match")


def _url(url: str, at: str) -> Iterator[Problem]:
    """A URL, or the name of an image, which has no scheme (``registry:5000/plugin:tag`` has none either)."""
    try:
        scheme = urlsplit(url).scheme if "://" in url else ""
    except ValueError:
        yield error(at, f"want a URL or the name of an image, got {url!r}")
        return
    if scheme not in _SCHEMES or any(char.isspace() for char in url):
        yield error(at, f"want a URL with http, https, file or oci, or the name of an image, got {url!r}")


def _environment(vm: VmConfig | None, at: str) -> Iterator[Problem]:
    names: set[str] = set()
    for i, variable in enumerate(vm.env if vm is not None else ()):
        if variable.name in names:
            yield error(f"{at}.env[{i}].name", f"another variable has the name {variable.name!r}", "remove one of them")
        names.add(variable.name)
        if variable.value_from is EnvValueSource.HOST and variable.value:
            yield error(f"{at}.env[{i}].value", "does not go with valueFrom HOST", "remove it, or use INLINE")


def _traffic(matches: Sequence[TrafficSelector], at: str) -> Iterator[Problem]:
    for i, match in enumerate(matches):
        numbers = [port.number for port in match.ports]
        for j, number in enumerate(numbers):
            if number in numbers[:j]:
                yield error(f"{at}[{i}].ports[{j}].number", f"port {number} is there twice", "remove one of them")
