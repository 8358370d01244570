"""ProxyConfig as an object of its own: settings that the injector gives to the proxies of some workloads.

Not to be taken for the mesh configuration's message of that name, which is in ``proxy_config``.

Spec: https://istio.io/latest/docs/reference/config/networking/proxy-config/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from discovery.schema.message import Message
from discovery.schema.selector import PolicySelector

__all__ = ["ProxyImage", "WorkloadProxyConfig"]


class ProxyImage(Message, frozen=True, kw_only=True):
    """The variant of the proxy's image: default, debug, distroless or a name of one's own."""

    image_type: str = ""


class WorkloadProxyConfig(Message, frozen=True, kw_only=True):
    """Settings of the selected workloads (none: of the namespace); ``concurrency`` 0 is one thread per CPU."""

    selector: PolicySelector | None = None
    concurrency: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None
    environment_variables: Mapping[str, Annotated[str, msgspec.Meta(max_length=2048)]] = {}
    image: ProxyImage | None = None
