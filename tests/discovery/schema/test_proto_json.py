from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.schema.destination_rule import DestinationRule, SimpleLB
from discovery.schema.findings import Severity
from discovery.schema.peer_authentication import MutualTLSMode, PeerAuthentication
from discovery.schema.proto_json import read
from discovery.schema.virtual_service import HTTPBody, StringMatch, VirtualService


def problems(cls: Any, document: object) -> list[tuple[str, str]]:
    return [(p.path, p.text) for p in read(cls, document, path="spec")[1]]


def test_both_spellings_of_a_field_are_read() -> None:
    """proto-JSON takes lowerCamelCase and the proto's own snake_case."""
    camel, none = read(VirtualService, {"exportTo": ["."]})
    snake, _ = read(VirtualService, {"export_to": ["."]})
    assert camel == snake == VirtualService(export_to=(".",))
    assert none == ()


def test_both_spellings_at_once_are_an_error() -> None:
    """Which of the two was meant cannot be known."""
    assert problems(VirtualService, {"exportTo": ["."], "export_to": ["*"]}) == [
        ("spec.export_to", "the field is written twice, in both spellings")
    ]


def test_null_is_the_default() -> None:
    """A null means that the field is not written."""
    assert read(VirtualService, {"hosts": None, "http": None}) == (VirtualService(), ())


def test_all_errors_are_told_at_once_with_their_paths() -> None:
    """An object with five errors has five findings, not the first of them."""
    document = {
        "hosts": "reviews",
        "http": [{"timeout": "soon", "route": [{"weight": "many"}], "match": [{"headers": {"x-id": {"exact": 1}}}]}],
    }
    assert problems(VirtualService, document) == [
        ("spec.hosts", "want a list, got 'reviews'"),
        ("spec.http[0].timeout", "want a duration such as 1.5s, 100ms or 1h30m, got 'soon'"),
        ("spec.http[0].route[0].weight", "want a whole number, got 'many'"),
        ("spec.http[0].route[0].destination", "want a value, got none"),
        ("spec.http[0].match[0].headers['x-id'].exact", "want a string, got 1"),
    ]


def test_unknown_field_is_a_warning_with_the_nearest_name() -> None:
    """A field we do not know is reported and the rest is used."""
    value, (problem,) = read(VirtualService, {"host": ["a"], "hosts": ["b"]}, path="spec")
    assert value == VirtualService(hosts=("b",))
    assert problem == ("spec.host", "unknown field", "did you mean hosts?", Severity.WARNING)


@pytest.mark.parametrize("written", ["STRICT", 3])
def test_enums_are_read_by_name_and_number(written: object) -> None:
    """proto-JSON takes either form of an enum."""
    value, found = read(PeerAuthentication, {"mtls": {"mode": written}})
    assert found == ()
    assert value is not None
    assert value.mtls is not None
    assert value.mtls.mode is MutualTLSMode.STRICT


def test_unknown_enum_names_what_was_wanted() -> None:
    """The finding lists the spellings and proposes the nearest."""
    _, (problem,) = read(PeerAuthentication, {"mtls": {"mode": "strict"}})
    assert problem.text == "want one of UNSET, DISABLE, PERMISSIVE, STRICT, got 'strict'"
    assert problem.hint == "did you mean STRICT?"


def test_oneof_takes_one() -> None:
    """Two members of a oneof are an error that names both."""
    assert problems(StringMatch, {"exact": "a", "prefix": "b"}) == [
        ("spec", "at most one of exact, prefix, regex may be set, got exact and prefix")
    ]


def test_empty_member_of_a_oneof_is_set() -> None:
    """An empty string in a oneof is not the same as none."""
    assert read(StringMatch, {"exact": ""})[0] == StringMatch(exact="")


@pytest.mark.parametrize("written", [80, 80.0, "80"])
def test_whole_numbers_have_three_spellings(written: object) -> None:
    """proto-JSON takes 80, 80.0 and "80" for an integer."""
    value, found = read(PeerAuthentication, {"portLevelMtls": {written: {}}})
    assert found == ()
    assert value is not None
    assert list(value.port_level_mtls) == [80]


def test_bounds_of_unsigned_numbers_hold() -> None:
    """A negative port is refused."""
    assert problems(VirtualService, {"http": [{"match": [{"port": -1}]}]}) == [
        ("spec.http[0].match[0].port", "want a number from 0 to 4294967295, got -1")
    ]


def test_reserved_and_builtin_names_are_fields_too() -> None:
    """``from`` and ``bytes`` are written as in the API."""
    rule, found = read(
        DestinationRule,
        {
            "host": "reviews",
            "trafficPolicy": {
                "loadBalancer": {"simple": 5, "localityLbSetting": {"failover": [{"from": "a", "to": "b"}]}}
            },
        },
    )
    assert found == ()
    assert rule is not None
    assert rule.traffic_policy is not None
    balancer = rule.traffic_policy.load_balancer
    assert balancer is not None
    assert balancer.simple is SimpleLB.LEAST_REQUEST
    assert balancer.locality_lb_setting is not None
    assert balancer.locality_lb_setting.failover[0].from_ == "a"
    assert read(HTTPBody, {"bytes": "aGk="})[0] == HTTPBody(bytes=b"hi")


def test_durations_become_timedeltas() -> None:
    """``outlierDetection.interval: 5m`` is five minutes, and digits stay in camel case names."""
    outlier = {"interval": "5m", "consecutive5xxErrors": 7}
    rule, found = read(DestinationRule, {"host": "reviews", "trafficPolicy": {"outlierDetection": outlier}})
    assert found == ()
    assert rule is not None
    assert rule.traffic_policy is not None
    detection = rule.traffic_policy.outlier_detection
    assert detection is not None
    assert detection.interval == timedelta(minutes=5)
    assert detection.consecutive_5xx_errors == 7


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_object_is_refused(document: object) -> None:
    """A spec must be an object."""
    value, (problem,) = read(VirtualService, document, path="spec")
    assert value is None
    assert problem.text.startswith("want an object, got ")
