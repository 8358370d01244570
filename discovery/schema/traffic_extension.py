"""TrafficExtension: a WebAssembly plugin or a Lua script for some workloads.

Spec: https://istio.io/latest/docs/reference/config/proxy_extensions/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from discovery.schema.message import Message, NonEmpty, ProtoEnum
from discovery.schema.selector import PolicySelector, PolicyTargetReferences
from discovery.schema.wasm_plugin import (
    FailStrategy,
    PluginName,
    PluginType,
    PullPolicy,
    PullSecret,
    Sha256,
    TrafficSelector,
    VmConfig,
)

__all__ = ["ExecutionPhase", "LuaConfig", "TrafficExtension", "WasmConfig"]


class ExecutionPhase(ProtoEnum):
    """At which place among the mesh's own filters the extension stands."""

    UNSPECIFIED = "UNSPECIFIED"
    AUTHN = "AUTHN"
    AUTHZ = "AUTHZ"
    STATS = "STATS"


class WasmConfig(Message, frozen=True, kw_only=True):
    """Where the plugin's code is, and how it runs."""

    required = ("url",)

    url: NonEmpty = ""
    sha256: Sha256 = ""
    image_pull_policy: PullPolicy = PullPolicy.UNSPECIFIED_POLICY
    image_pull_secret: PullSecret = ""
    verification_key: str = ""
    plugin_config: Mapping[str, Any] | None = None
    plugin_name: PluginName = ""
    fail_strategy: FailStrategy = FailStrategy.FAIL_CLOSE
    vm_config: VmConfig | None = None
    type: PluginType = PluginType.UNSPECIFIED_PLUGIN_TYPE


class LuaConfig(Message, frozen=True, kw_only=True):
    """A script of at most 64 KiB."""

    required = ("inline_code",)

    inline_code: Annotated[str, msgspec.Meta(min_length=1, max_length=65536)] = ""


class TrafficExtension(Message, frozen=True, kw_only=True):
    """An extension; within a phase a higher ``priority`` goes first, None is 0."""

    oneofs = (("wasm", "lua"),)

    selector: PolicySelector | None = None
    target_refs: PolicyTargetReferences = ()
    phase: ExecutionPhase = ExecutionPhase.UNSPECIFIED
    priority: int | None = None
    match: tuple[TrafficSelector, ...] = ()
    wasm: WasmConfig | None = None
    lua: LuaConfig | None = None
