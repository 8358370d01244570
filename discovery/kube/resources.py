"""The names of resources and the paths they have at an API server.

Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

__all__ = ["CONFIG_MAPS", "MUTATING_WEBHOOKS", "SECRETS", "VALIDATING_WEBHOOKS", "Resource"]


class Resource(msgspec.Struct, frozen=True):
    """A collection of objects: ``Resource("networking.istio.io", "v1", "sidecars")``; the core group is empty."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """As objects state it: ``v1`` or ``networking.istio.io/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str = "") -> str:
        """The path of all objects, or of those of one namespace."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{place}/{self.plural}"

    def object(self, namespace: str, name: str, subresource: str = "") -> str:
        """The path of one object, or of a part of it such as ``status``.

        Raises:
            ValueError: the name is empty, or a namespaced object has no namespace: the path would mean all of them.
        """
        if not name or (self.namespaced and not namespace):
            raise ValueError(f"{self}: want a name, and a namespace if namespaced; got {namespace!r} and {name!r}")
        tail = f"/{subresource}" if subresource else ""
        return f"{self.collection(namespace)}/{quote(name, safe='')}{tail}"


CONFIG_MAPS: Final = Resource("", "v1", "configmaps")
SECRETS: Final = Resource("", "v1", "secrets")
_ADMISSION: Final = "admissionregistration.k8s.io"
MUTATING_WEBHOOKS: Final = Resource(_ADMISSION, "v1", "mutatingwebhookconfigurations", namespaced=False)
VALIDATING_WEBHOOKS: Final = Resource(_ADMISSION, "v1", "validatingwebhookconfigurations", namespaced=False)
