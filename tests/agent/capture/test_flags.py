from __future__ import annotations

import pytest

from agent.capture.flags import FLAGS, VARIABLES, raw_values


def test_names_are_unique() -> None:
    """Flags, letters, fields and variables each name one thing."""
    for names in (
        [flag.name for flag in FLAGS],
        [flag.short for flag in FLAGS if flag.short],
        [flag.field for flag in FLAGS] + [row[1] for row in VARIABLES],
        [flag.environment for flag in FLAGS if flag.environment] + [row[0] for row in VARIABLES],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({}, {}, "15006"),
        ({}, {"INBOUND_CAPTURE_PORT": "16006"}, "16006"),
        ({"inbound_port": "17006"}, {"INBOUND_CAPTURE_PORT": "16006"}, "17006"),
        ({"inbound_port": None}, {"INBOUND_CAPTURE_PORT": ""}, "15006"),
    ],
)
def test_flag_beats_variable_beats_default(
    given: dict[str, str | None], environ: dict[str, str], expected: str
) -> None:
    """A variable that is empty says nothing."""
    assert str(raw_values(given, environ)["inbound_port"]) == expected


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("ISTIO_META_DNS_CAPTURE", "redirect_dns"),
        ("INVALID_DROP", "drop_invalid"),
        ("ISTIO_DUAL_STACK", "dual_stack"),
        ("CAPTURE_ALL_DNS", "capture_all_dns"),
        ("KUBE_VIRT_INTERFACES", "virtual_interfaces"),
        ("ISTIO_OUTBOUND_OWNER_GROUPS", "owner_groups"),
    ],
)
def test_variables_have_istios_names(variable: str, field: str) -> None:
    """The injector passes them through."""
    assert raw_values({}, {variable: "x"})[field] == "x"


def test_outbound_port_has_no_variable() -> None:
    """As in Istio: it is a flag only."""
    assert raw_values({}, {"ENVOY_PORT": "1"})["outbound_port"] == 15001


def test_an_explicit_empty_list_beats_the_variable() -> None:
    """``-x ""`` of the injector means none."""
    assert (
        raw_values({"excluded_outbound_ranges": ""}, {"ISTIO_SERVICE_EXCLUDE_CIDR": "10.0.0.0/8"})[
            "excluded_outbound_ranges"
        ]
        == ""
    )
