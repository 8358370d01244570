"""The injector's configuration."""

from __future__ import annotations

import pytest

from discovery.inject.config import InjectorConfig, Policy, parse_config, parse_values
from discovery.inject.errors import ConfigError

GOOD = """
policy: enabled
defaultTemplates: [a]
aliases: {both: [a, b]}
templates:
  a: "spec: {{ .Spec | structToJSON }}"
  b: "metadata: {}"
neverInjectSelector: [{matchLabels: {app: "no"}}]
alwaysInjectSelector: [{matchExpressions: [{key: yes-please, operator: Exists}]}]
injectedAnnotations: {x: y}
"""


def test_all_that_is_written_is_read() -> None:
    """Also what is seldom used."""
    config = parse_config(GOOD)
    assert config.policy is Policy.ENABLED
    assert config.default_templates == ("a",)
    assert set(config.templates) == {"a", "b"}
    assert config.aliases == {"both": ("a", "b")}
    assert config.never_inject[0].match_labels == {"app": "no"}
    assert config.always_inject[0].match_expressions[0].key == "yes-please"
    assert config.injected_annotations == {"x": "y"}


def test_defaults() -> None:
    """Without a word on it nothing is injected, and the template is the sidecar's."""
    config = parse_config("templates: {sidecar: ''}")
    assert config.policy is Policy.DISABLED
    assert config.default_templates == ("sidecar",)
    assert InjectorConfig().templates == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("templates: [", "no valid YAML"),
        ("- a", "want an object, got list"),
        ("policy: enabled", "want at least one, got none"),
        ("policy: maybe\ntemplates: {a: x}", "maybe"),
        ("templates: {a: '{{ if }}', b: '{{ nope }}'}", "template 'b', line 1: function 'nope'"),
        ("templates: {a: 1}", "Expected `str`"),
        ("templates: {a: x}\nneverInjectSelector: [{matchLabel: {}, matchExpressions: 1}]", "neverInjectSelector"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, problem: str) -> None:
    """With the place; every bad template is named, not only the first."""
    with pytest.raises(ConfigError, match=problem):
        parse_config(text)


def test_all_bad_templates_are_told() -> None:
    """So that one edit is enough."""
    with pytest.raises(ConfigError, match=r"'a'.*'b'"):
        parse_config("templates: {a: '{{ if }}', b: '{{ nope }}'}")


def test_values_are_json_or_yaml() -> None:
    """The chart writes JSON."""
    assert parse_values('{"global": {"hub": "x"}}') == {"global": {"hub": "x"}}
    assert parse_values("global: {hub: x}") == {"global": {"hub": "x"}}
    for wrong in ("[]", "global: 3", "global: ["):
        with pytest.raises(ConfigError, match="values"):
            parse_values(wrong)
