"""An Envoy configuration dump, from an Envoy's admin interface, a file or a control plane, in one spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from discovery.ctl.errors import CtlError

__all__ = ["Dump", "read_dump"]

# Below these keys names are data, not fields: they stay as they are.
_DATA: Final = frozenset({"filterMetadata", "typedFilterMetadata", "keyValues", "labels", "requiredClaims"})
_PROTO_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")


def _camel(name: str) -> str:
    if not _PROTO_NAME.fullmatch(name):
        return name
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def camel_case(value: Any) -> Any:
    """The same data with protobuf's JSON names for fields; Envoy writes the names of the proto files."""
    if isinstance(value, list):
        return [camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        name = _camel(key)
        found[name] = item if name in _DATA else camel_case(item)
    return found


class Dump:
    """Sections of a dump. Resources are JSON data with camel-case names, in the order of the dump."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """``data``: ``{"configs": [{"@type": ...}, ...]}`` in either spelling."""
        self._sections: dict[str, dict[str, Any]] = {}
        for config in data.get("configs", ()):
            kind = str(config.get("@type", "")).rpartition(".")[2]
            section = self._sections.setdefault(kind, {})
            for key, value in camel_case(config).items():  # Envoy may split a section in several
                section[key] = [*section.get(key, ()), *value] if isinstance(value, list) else value

    def section(self, kind: str) -> dict[str, Any]:
        """A section by its message, such as ``EcdsConfigDump``, without its type; empty when it is not there."""
        return {key: value for key, value in self._sections.get(kind, {}).items() if key != "@type"}

    @property
    def bootstrap(self) -> dict[str, Any]:
        """The bootstrap; empty in the dump of a control plane, which does not have it."""
        found: dict[str, Any] = self.section("BootstrapConfigDump").get("bootstrap", {})
        return found

    def clusters(self, *, static: bool = True) -> Iterator[dict[str, Any]]:
        """Clusters in force; those of the bootstrap last, if ``static``."""
        lists = ("dynamicActiveClusters", *(["staticClusters"] if static else []))
        yield from self._resources("ClustersConfigDump", "cluster", *lists)

    def endpoints(self) -> Iterator[dict[str, Any]]:
        """Load assignments."""
        kind = "EndpointsConfigDump"
        yield from self._resources(kind, "endpointConfig", "dynamicEndpointConfigs", "staticEndpointConfigs")

    def listeners(self, *, static: bool = True) -> Iterator[dict[str, Any]]:
        """Listeners in force; those of the bootstrap last, if ``static``."""
        section = self.section("ListenersConfigDump")
        for entry in section.get("dynamicListeners", ()):
            yield from _plain(entry.get("activeState", {}).get("listener"))
        for entry in section.get("staticListeners", ()) if static else ():
            yield from _plain(entry.get("listener"))

    def routes(self, *, static: bool = True) -> Iterator[dict[str, Any]]:
        """Route configurations; those that are part of listeners last, if ``static``."""
        lists = ("dynamicRouteConfigs", *(["staticRouteConfigs"] if static else []))
        yield from self._resources("RoutesConfigDump", "routeConfig", *lists)

    def secrets(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Status and secret."""
        section = self.section("SecretsConfigDump")
        for status, key in (
            ("WARMING", "dynamicWarmingSecrets"),
            ("ACTIVE", "dynamicActiveSecrets"),
            ("ACTIVE", "staticSecrets"),
        ):
            for entry in section.get(key, ()):
                for secret in _plain(entry.get("secret")):
                    yield status, {**secret, "name": entry.get("name") or secret.get("name", "")}

    def extensions(self) -> Iterator[dict[str, Any]]:
        """Extension configurations (ECDS)."""
        yield from self._resources("EcdsConfigDump", "ecdsFilter", "ecdsFilters")

    def _resources(self, kind: str, member: str, *lists: str) -> Iterator[dict[str, Any]]:
        section = self.section(kind)
        for name in lists:
            for entry in section.get(name, ()):
                yield from _plain(entry.get(member))


def _plain(resource: Any) -> Iterator[dict[str, Any]]:
    """A resource without its type."""
    if isinstance(resource, dict):
        yield {key: value for key, value in resource.items() if key != "@type"}


def read_dump(path: Path) -> Dump:
    """The dump in a file, JSON or YAML.

    Raises:
        CtlError: it cannot be read, or holds something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CtlError(f"{path}: {error.strerror}") from error
    try:
        document = msgspec.json.decode(data) if data.lstrip()[:1] == b"{" else yaml.load(data, yaml.CSafeLoader)
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CtlError(f"{path}: neither JSON nor YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("configs"), list):
        raise CtlError(f"{path}: want the answer of Envoy's /config_dump, an object with `configs`")
    return Dump(document)
