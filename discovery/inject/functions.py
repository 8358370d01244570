"""The functions that injection templates have besides Go's own and Sprig's. Where Sprig has one of the same name, this
one is meant: ``indent`` leaves the first line alone.

Reference: docs/reference/injection.md
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from discovery.inject.document import default_proxy_config
from discovery.inject.gotemplate import NO_VALUE, UNSET, Functions, plain, show
from discovery.inject.gotemplate.sprig import SPRIG
from discovery.inject.gotemplate.sprig.encodings import to_json
from discovery.inject.gotemplate.sprig.maps import Dictionary, as_map
from discovery.inject.names import PROXY_CONTAINER
from discovery.schema.yaml_writing import render_yaml
from discovery.wire.durations import parse_duration

__all__ = ["FUNCTION_NAMES", "functions"]


def _annotation(meta: Any, name: str, default: Any) -> str:
    """The value of an annotation, as text."""
    annotations = plain(meta).get("annotations") or {}
    return show(annotations[name]) if name in annotations else show(default)


def _value_or_default(value: Any, default: Any) -> Any:
    return default if value is None or value is NO_VALUE or value is UNSET or value == "" else value


def _ports_text(text: Any) -> list[str]:
    return [port for part in show(text).split(",") if (port := part.strip())]


def _exclude_inbound_port(port: Any, excluded: Any) -> str:
    own = show(port).strip()
    ports = _ports_text(excluded)
    if own in ("", "0") or own in ports:
        return show(excluded)
    return ",".join([*ports, own])


def _container_ports(containers: Any, wanted: Callable[[Mapping[str, Any]], bool]) -> str:
    found: list[str] = []
    for container in plain(containers) or ():
        if wanted(container):
            ports = container.get("ports") or ()
            found += [str(port.get("containerPort")) for port in ports if port.get("protocol") not in ("UDP", "SCTP")]
    return ",".join(found)


def _indent(spaces: int, text: Any) -> str:
    first, *rest = show(text).split("\n")
    return "\n".join([first, *(" " * spaces + line for line in rest)])


def _to_yaml(value: Any) -> str:
    return render_yaml(plain(value), sort_keys=True, folded=False)


def _json_or_empty(value: Any) -> str:
    value = plain(value)
    return "{}" if value is None else to_json(value)


def _from_json(text: Any) -> Any:
    try:
        return json.loads(show(text))
    except ValueError as error:
        raise ValueError(f"no valid JSON: {error}") from None


def _proto_to_json(message: Any) -> str:
    """A message of the API without what is at its default anyway, so that pods stay small."""
    document = plain(message)
    if document is None:
        return "{}"
    defaults = default_proxy_config()
    return to_json({key: value for key, value in document.items() if value is not None and defaults.get(key) != value})


def _format_duration(duration: Any) -> str:
    """Go's form: ``1m30s``."""
    seconds = parse_duration(show(duration))
    if seconds < 60:
        return f"{seconds:g}s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:g}h{minutes:g}m{rest:g}s" if hours else f"{minutes:g}m{rest:g}s"


def _append_multus_network(existing: Any, network: str) -> str:
    """A further network for the Multus plugin, by its annotation: a list or JSON; ``network`` is ``[ns/]name``."""
    text = show(existing)
    namespace, _, name = network.rpartition("/")
    if not text:
        return network
    if not text.strip().endswith("]"):
        names = [part.strip() for part in text.split(",")]
        return text if network in names else f"{text}, {network}"
    networks = _from_json(text)
    own = {"name": name, "namespace": namespace} if namespace else {"name": name}
    known = any(isinstance(item, dict) and item.get("name") == name for item in networks)
    return text if known else json.dumps([*networks, own])


def _merge_maps(*maps: Any) -> Dictionary:
    return Dictionary({key: value for members in maps for key, value in as_map(members).items()})


def _omit_nil(members: Any) -> Dictionary:
    return Dictionary({key: value for key, value in as_map(members).items() if plain(value) is not None})


_OTEL: Final = "resource.opentelemetry.io/"


def _otel_attributes(meta: Any, workload: Any, spec: Any) -> str:
    """What OpenTelemetry calls a pod.

    Spec: https://opentelemetry.io/docs/specs/semconv/non-normative/k8s-attributes/
    """
    metadata = plain(meta)
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    namespace = metadata.get("namespace") or plain(workload).get("namespace") or "default"
    containers = plain(spec).get("containers") or ()
    apps = [container for container in containers if container.get("name") != PROXY_CONTAINER]
    app: Mapping[str, Any] = apps[0] if apps else {}
    version = labels.get("app.kubernetes.io/version") or _image_tag(app.get("image") or "")
    found = {
        "service.name": labels.get("app.kubernetes.io/instance", ""),
        "service.namespace": namespace,
        "service.version": version,
        "service.instance.id": f"{namespace}.$(POD_NAME).{app.get('name', '')}" if app else "",
    }
    found |= {key.removeprefix(_OTEL): value for key, value in annotations.items() if key.startswith(_OTEL)}
    return ",".join(f"{key}={value}" for key, value in found.items() if value)


def _image_tag(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _otel_wanted(mesh: Any) -> bool:
    """Whether a tracing provider of the mesh wants these attributes."""
    providers: Iterable[Mapping[str, Any]] = plain(mesh).get("extensionProviders") or ()
    return any(
        (provider.get("opentelemetry") or {}).get("serviceAttributeEnrichment") == "OTEL_SEMANTIC_CONVENTIONS"
        for provider in providers
    )


_STATIC: Final[Functions] = {
    **SPRIG,
    "annotation": _annotation,
    "appendMultusNetwork": _append_multus_network,
    "applicationPorts": lambda containers: _container_ports(
        containers, lambda container: container.get("name") != PROXY_CONTAINER
    ),
    "contains": lambda part, text: show(part) in show(text),
    "directory": lambda path: posixpath.split(show(path))[0].rstrip("/") + "/" if "/" in show(path) else "",
    "excludeInboundPort": _exclude_inbound_port,
    "formatDuration": _format_duration,
    "fromJSON": _from_json,
    "includeInboundPorts": lambda containers: _container_ports(containers, lambda _: True),
    "indent": _indent,
    "isset": lambda members, key: show(key) in as_map(members),
    "kubevirtInterfaces": show,
    "mergeMaps": _merge_maps,
    "omitNil": _omit_nil,
    "otelAttributesWanted": _otel_wanted,
    "otelResourceAttributes": _otel_attributes,
    "protoToJSON": _proto_to_json,
    "structToJSON": _json_or_empty,
    "toJSON": _json_or_empty,
    "toJson": _json_or_empty,
    "toLower": lambda text: show(text).lower(),
    "toYaml": _to_yaml,
    "toYamlMap": lambda *maps: _to_yaml(_merge_maps(*maps)),
    "valueOrDefault": _value_or_default,
}


def _undefined(*_: Any) -> Any:
    raise ValueError("is known only while a template is applied")


FUNCTION_NAMES: Final[Functions] = {**_STATIC, "env": _undefined, "render": _undefined}
"""All functions of injection templates, for reading them."""


def functions(environ: Mapping[str, str], render: Callable[[str], str]) -> Functions:
    """All functions. ``environ`` is what ``env`` sees; ``render`` applies a text as a template to the same data."""
    return {
        **_STATIC,
        "env": lambda name, default="": environ.get(name) or default,
        "render": lambda text: render(show(text)),
    }
