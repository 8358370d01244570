"""A WorkloadGroup from what was typed."""

from __future__ import annotations

import pytest

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.group import build_group, parse_pairs, parse_ports


def test_only_what_was_said_is_written() -> None:
    """Empty parts are left out."""
    document = build_group("vm", "shop", labels={}, annotations={}, ports={}, service_account="web")
    assert document["spec"] == {"metadata": {}, "template": {"serviceAccount": "web"}}


@pytest.mark.parametrize(
    ("name", "namespace", "account", "labels", "words"),
    [
        ("Bad_Name", "shop", "default", {}, "--name 'Bad_Name': want lower-case letters"),
        ("vm", "", "default", {}, "--namespace '': want"),
        ("vm", "shop", "a b", {}, "--serviceAccount 'a b': want"),
        ("vm", "shop", "default", {"a b": "c"}, "--labels: want the name of a label, got 'a b'"),
        ("vm", "shop", "default", {"a": "-"}, "--labels: want the value of a label for a, got '-'"),
    ],
)
def test_names_that_a_cluster_would_refuse(
    name: str, namespace: str, account: str, labels: dict[str, str], words: str
) -> None:
    """Are refused here, by the flag that has them."""
    with pytest.raises(CtlError, match=words):
        build_group(name, namespace, labels=labels, annotations={}, ports={}, service_account=account)


def test_pairs() -> None:
    """A value may be empty and hold an equals sign; none is silently lost."""
    with pytest.raises(CtlError, match="--ports: http is there twice"):
        parse_ports("http=80,grpc=81,http=82")
    assert parse_pairs("--labels", "a=b, c=d=e,f=") == {"a": "b", "c": "d=e", "f": ""}
    with pytest.raises(CtlError, match="--labels 'a': want name=value"):
        parse_pairs("--labels", "a")


@pytest.mark.parametrize("text", ["http=0", "http=65536", "http=web", "http=²"])
def test_ports_are_numbers(text: str) -> None:
    """From 1 to 65535."""
    assert parse_ports("http=8080") == {"http": 8080}
    with pytest.raises(CtlError, match="want a port from 1 to 65535"):
        parse_ports(text)
