"""Templates that come with the control plane."""

from __future__ import annotations

import pytest

from discovery.inject.builtin import (
    TEMPLATE_NAMES,
    builtin_template,
    builtin_values,
    config_from_values,
    values_of_chart,
)
from discovery.inject.config import Policy
from discovery.inject.errors import ConfigError


def test_all_templates_can_be_read() -> None:
    """With the default values; the policy is to inject."""
    config = config_from_values(builtin_values())
    assert set(config.templates) == set(TEMPLATE_NAMES)
    assert config.policy is Policy.ENABLED
    assert config.default_templates == ("sidecar",)
    assert "istio-proxy" in builtin_template("sidecar")


def test_values_say_more() -> None:
    """Own templates and selectors."""
    webhook = {"templates": {"own": "metadata: {}"}, "defaultTemplates": ["sidecar", "own"]}
    values = {"global": {"proxy": {"autoInject": "disabled"}}, "sidecarInjectorWebhook": webhook}
    config = config_from_values(values)
    assert set(config.templates) == {*TEMPLATE_NAMES, "own"}
    assert config.default_templates == ("sidecar", "own")
    assert config.policy is Policy.DISABLED
    with pytest.raises(ConfigError, match="'bad'"):
        config_from_values({"sidecarInjectorWebhook": {"templates": {"bad": "{{"}}})


def test_the_part_that_templates_see() -> None:
    """As users' templates know it from Istio's chart."""
    values = {"global": {"a": 1}, "cni": {"enabled": True}, "env": {"X": "y"}, "replicaCount": 3}
    assert values_of_chart(values) == {
        "global": {"a": 1},
        "pilot": {"cni": {"enabled": True}, "env": {"X": "y"}},
        "gateways": {},
    }
