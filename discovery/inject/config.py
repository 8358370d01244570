"""The injector's configuration: keys ``config`` and ``values`` of the ConfigMap ``istio-sidecar-injector``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from discovery.inject.errors import ConfigError
from discovery.inject.functions import FUNCTION_NAMES
from discovery.inject.gotemplate import Template, TemplateError
from discovery.schema.mesh_config import LabelSelector
from discovery.schema.proto_json import read
from discovery.schema.yaml_text import YamlError, parse_yaml

__all__ = ["InjectorConfig", "Policy", "parse_config", "parse_values"]

_DEFAULT_TEMPLATE: Final = "sidecar"


class Policy(StrEnum):
    """What happens to a pod that says nothing itself."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class InjectorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When to inject, and with which templates."""

    policy: Policy = Policy.DISABLED
    default_templates: tuple[str, ...] = (_DEFAULT_TEMPLATE,)
    templates: Mapping[str, Template] = {}
    aliases: Mapping[str, tuple[str, ...]] = {}
    never_inject: tuple[LabelSelector, ...] = ()
    always_inject: tuple[LabelSelector, ...] = ()
    injected_annotations: Mapping[str, str] = {}


class _Written(msgspec.Struct, kw_only=True, rename="camel"):
    """The document as it is written."""

    policy: Policy = Policy.DISABLED
    default_templates: list[str] | None = None
    templates: dict[str, str] | None = None
    aliases: dict[str, list[str]] | None = None
    never_inject_selector: list[dict[str, Any]] | None = None
    always_inject_selector: list[dict[str, Any]] | None = None
    injected_annotations: dict[str, str] | None = None


def parse_config(text: str, *, where: str = "config") -> InjectorConfig:
    """The configuration in a YAML text; ``where`` is for messages.

    Raises:
        ConfigError: the text is no such configuration, or a template in it is none. All templates are looked at.
    """
    document = _document(text, where)
    try:
        written = msgspec.convert(document, _Written)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from None
    if not written.templates:
        raise ConfigError(f"{where}: templates: want at least one, got none; is it of another version?")
    return InjectorConfig(
        policy=written.policy,
        default_templates=tuple(written.default_templates or (_DEFAULT_TEMPLATE,)),
        templates=_templates(written.templates, where),
        aliases={name: tuple(names) for name, names in (written.aliases or {}).items()},
        never_inject=_selectors(written.never_inject_selector, f"{where}: neverInjectSelector"),
        always_inject=_selectors(written.always_inject_selector, f"{where}: alwaysInjectSelector"),
        injected_annotations=written.injected_annotations or {},
    )


def parse_values(text: str, *, where: str = "values") -> dict[str, Any]:
    """The chart's values, JSON or YAML.

    Raises:
        ConfigError: the text is neither, or no object.
    """
    values = _document(text, where)
    for key in ("global", "pilot", "sidecarInjectorWebhook", "gateways"):
        if not isinstance(values.get(key) or {}, dict):
            raise ConfigError(f"{where}: {key}: want an object, got {values[key]!r}")
    return values


def _document(text: str, where: str) -> dict[str, Any]:
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"{where}: no valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{where}: want an object, got {type(document).__name__}")
    return document


def _templates(sources: Mapping[str, str], where: str) -> dict[str, Template]:
    templates: dict[str, Template] = {}
    problems: list[str] = []
    for name, source in sources.items():
        try:
            templates[name] = Template.parse(name, source, FUNCTION_NAMES)
        except TemplateError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(f"{where}: {'; '.join(problems)}")
    return templates


def _selectors(documents: list[dict[str, Any]] | None, where: str) -> tuple[LabelSelector, ...]:
    found: list[LabelSelector] = []
    for place, document in enumerate(documents or ()):
        selector, problems = read(LabelSelector, document, path=f"[{place}]")
        if selector is None:
            raise ConfigError(f"{where}{'; '.join(f'{p.path}: {p.text}' for p in problems)}")
        found.append(selector)
    return tuple(found)
