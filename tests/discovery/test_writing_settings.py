from __future__ import annotations

import pytest

from discovery.settings_reader import SettingsReader
from discovery.writing_settings import WRITING_VARIABLES, WritingSettings, read_writing_settings


def variables(**given: str) -> SettingsReader:
    return SettingsReader({}, given, {name: default for name, default, _ in WRITING_VARIABLES})


def test_defaults_are_those_of_the_struct() -> None:
    """The table that users read and the struct that code is made with say the same."""
    assert read_writing_settings(variables()) == WritingSettings()


def test_every_variable_is_read() -> None:
    """Each changes something."""
    others = {
        "CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL": "2h",
        "CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE": "30",
        "CA_TRUSTED_NODE_ACCOUNTS": "istio-system/ztunnel, kube-system/agent",
    }
    for name, default, _ in WRITING_VARIABLES:
        given = others.get(name, {"true": "false", "false": "true"}.get(default, "other"))
        assert read_writing_settings(variables(**{name: given})) != WritingSettings(), name


def test_trusted_accounts_are_pairs() -> None:
    """As istiod has them."""
    found = read_writing_settings(variables(CA_TRUSTED_NODE_ACCOUNTS="a/b, c/d,")).trusted_node_accounts
    assert found == {("a", "b"), ("c", "d")}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CA_TRUSTED_NODE_ACCOUNTS", "ztunnel"),
        ("CA_TRUSTED_NODE_ACCOUNTS", "a/b/c"),
        ("CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE", "0"),
        ("CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE", "100"),
        ("CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE", "some"),
    ],
)
def test_what_is_wrong_is_told(name: str, text: str) -> None:
    """By its variable."""
    read = variables(**{name: text})
    read_writing_settings(read)
    assert len(read.findings) == 1
    assert read.findings[0].startswith(name)
