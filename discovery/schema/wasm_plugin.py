"""WasmPlugin: a WebAssembly filter for some workloads.

Spec: https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from discovery.schema.message import Message, NonEmpty, PortNumber, ProtoEnum
from discovery.schema.selector import PolicySelector, PolicyTargetReference, PolicyTargetReferences

__all__ = [
    "EnvValueSource",
    "FailStrategy",
    "PluginName",
    "PluginPhase",
    "PluginType",
    "PullPolicy",
    "PullSecret",
    "Sha256",
    "TrafficMode",
    "TrafficPort",
    "TrafficSelector",
    "VmConfig",
    "VmEnvironment",
    "WasmPlugin",
]

Sha256 = Annotated[str, msgspec.Meta(pattern="^$|^[a-f0-9]{64}$")]
PullSecret = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
PluginName = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class PluginPhase(ProtoEnum):
    """At which place among the mesh's own filters the plugin stands."""

    UNSPECIFIED_PHASE = "UNSPECIFIED_PHASE"
    AUTHN = "AUTHN"
    AUTHZ = "AUTHZ"
    STATS = "STATS"


class PluginType(ProtoEnum):
    """HTTP filter (what UNSPECIFIED_PLUGIN_TYPE means too) or network filter."""

    UNSPECIFIED_PLUGIN_TYPE = "UNSPECIFIED_PLUGIN_TYPE"
    HTTP = "HTTP"
    NETWORK = "NETWORK"


class PullPolicy(ProtoEnum):
    """Whether an image that is there already is fetched again."""

    UNSPECIFIED_POLICY = "UNSPECIFIED_POLICY"
    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"


class FailStrategy(ProtoEnum):
    """What happens to traffic while the plugin cannot run."""

    FAIL_CLOSE = "FAIL_CLOSE"
    FAIL_OPEN = "FAIL_OPEN"
    FAIL_RELOAD = "FAIL_RELOAD"


class EnvValueSource(ProtoEnum):
    """Whether a variable has its value here or from the proxy's environment."""

    INLINE = "INLINE"
    HOST = "HOST"


class VmEnvironment(Message, frozen=True, kw_only=True):
    """A variable that the plugin sees."""

    required = ("name",)

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] = ""
    value_from: EnvValueSource = EnvValueSource.INLINE
    value: Annotated[str, msgspec.Meta(max_length=2048)] = ""


class VmConfig(Message, frozen=True, kw_only=True):
    """The virtual machine of the plugin."""

    env: Annotated[tuple[VmEnvironment, ...], msgspec.Meta(max_length=256)] = ()


class TrafficMode(ProtoEnum):
    """Direction of traffic; UNDEFINED means both."""

    UNDEFINED = "UNDEFINED"
    CLIENT = "CLIENT"
    SERVER = "SERVER"
    CLIENT_AND_SERVER = "CLIENT_AND_SERVER"


class TrafficPort(Message, frozen=True, kw_only=True):
    """A port by number."""

    required = ("number",)

    number: PortNumber = 0


class TrafficSelector(Message, frozen=True, kw_only=True):
    """Traffic in one direction, on some ports (none: on all)."""

    mode: TrafficMode = TrafficMode.UNDEFINED
    ports: tuple[TrafficPort, ...] = ()


class WasmPlugin(Message, frozen=True, kw_only=True):
    """A plugin; within a phase a higher ``priority`` goes first, None is 0."""

    required = ("url",)

    selector: PolicySelector | None = None
    target_ref: PolicyTargetReference | None = None
    target_refs: PolicyTargetReferences = ()
    url: NonEmpty = ""
    sha256: Sha256 = ""
    image_pull_policy: PullPolicy = PullPolicy.UNSPECIFIED_POLICY
    image_pull_secret: PullSecret = ""
    verification_key: str = ""
    plugin_config: Mapping[str, Any] | None = None
    plugin_name: PluginName = ""
    phase: PluginPhase = PluginPhase.UNSPECIFIED_PHASE
    priority: int | None = None
    fail_strategy: FailStrategy = FailStrategy.FAIL_CLOSE
    vm_config: VmConfig | None = None
    match: tuple[TrafficSelector, ...] = ()
    type: PluginType = PluginType.UNSPECIFIED_PLUGIN_TYPE
