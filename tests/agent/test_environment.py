from __future__ import annotations

import pytest

from agent.environment import Environment, read_environment, variables


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("POD_NAME", "web-0", "pod_name", "web-0"),
        ("TRUST_DOMAIN", "", "trust_domain", ""),
        ("ISTIO_DELTA_XDS", "F", "delta_xds", False),
        ("ISTIO_CPU_LIMIT", "3", "cpu_limit", 3),
        ("SECRET_TTL", "1h30m", "secret_ttl_s", 5400.0),
        ("SECRET_GRACE_PERIOD_RATIO", "0.2", "secret_grace_ratio", 0.2),
        ("PEER_METADATA_DISCOVERY", "true", "metadata_discovery", True),
    ],
)
def test_values_have_types(name: str, text: str, field: str, value: object) -> None:
    """Texts as they are, even empty; the rest in Go's spellings."""
    env, warnings = read_environment({name: text})
    assert getattr(env, field) == value
    assert warnings == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [("ISTIO_DELTA_XDS", "yes"), ("ISTIO_CPU_LIMIT", "2.5"), ("SECRET_TTL", "soon"), ("SECRET_TTL", "-1s")],
)
def test_a_bad_value_gives_the_default_and_a_warning(name: str, text: str) -> None:
    """The warning names variable, value and what was taken."""
    env, warnings = read_environment({name: text})
    assert env == Environment()
    assert f"{name}='{text}' is ignored" in warnings[0]


def test_an_empty_typed_value_is_unset() -> None:
    """Manifests write empty numbers and booleans for unset ones."""
    assert read_environment({"ISTIO_CPU_LIMIT": "", "ISTIO_DELTA_XDS": ""}) == (Environment(), ())


def test_every_variable_is_documented_once() -> None:
    """Names are unique, texts are sentences."""
    rows = variables()
    names = [variable.name for _, variable, _, _ in rows]
    assert len(set(names)) == len(names)
    assert all(variable.doc.endswith(".") for _, variable, _, _ in rows)
