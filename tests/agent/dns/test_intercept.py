"""The name table comes by xDS: whole, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from agent.dns.intercept import NameTableIntercept
from agent.dns.metrics import DnsMetrics
from agent.dns.resolver import Resolver
from agent.xds_proxy.intercept import index_intercepts
from discovery.wire.type_urls import NAME_TABLE
from tests.kit.dns_proxy import PLACE
from tests.kit.name_table import write_name_table


def made() -> tuple[NameTableIntercept, Resolver]:
    resolver = Resolver(DnsMetrics(), monotonic=lambda: 0.0, chance=lambda: 0.0)
    return NameTableIntercept(resolver, PLACE), resolver


def test_it_consumes_the_name_table() -> None:
    """The relay finds it by its type."""
    intercept, _ = made()
    assert index_intercepts([intercept]) == {NAME_TABLE: intercept}


def test_a_table_replaces_the_one_before() -> None:
    """Names that are not in the new one are gone; an empty one is one."""
    intercept, resolver = made()
    assert "not ready yet" in intercept.objection
    intercept.handle(write_name_table({"a": {"ips": ["1.1.1.1"]}, "b": {"ips": ["1.1.1.1"]}}))
    assert resolver.table is not None
    assert {name for name, _ in resolver.table.names()} == {"a.", "b."}
    assert intercept.objection == ""
    intercept.handle(b"")
    assert list(resolver.table.names()) == []


def test_a_broken_table_changes_nothing() -> None:
    """It is refused with a reason, for the control plane to tell."""
    intercept, resolver = made()
    intercept.handle(write_name_table({"a": {"ips": ["1.1.1.1"]}}))
    whole = write_name_table({"b": {"ips": ["1.1.1.1"]}, "c": {"ips": ["1.1.1.1"]}})
    with pytest.raises(ValueError, match="truncated protobuf"):
        intercept.handle(whole[:-1])
    assert resolver.table is not None
    assert [name for name, _ in resolver.table.names()] == ["a."]


def test_the_table_is_shown() -> None:
    """With every form of a name and both families; nothing before there is one."""
    intercept, _ = made()
    assert intercept.document() is None
    whole: dict[str, dict[str, Any]] = {
        "db.ns2.svc.cluster.local": {
            "ips": ["1.1.1.1", "::1"], "registry": "Kubernetes", "shortname": "db", "namespace": "ns2"
        },
        "*.wild": {"ips": ["2.2.2.2"]},
    }  # fmt: skip
    intercept.handle(write_name_table(whole))
    both = {"ips": ("1.1.1.1", "::1")}
    assert intercept.document() == {
        "table": {
            "*.wild.": {"ips": ("2.2.2.2",)},
            "db.ns2.": both, "db.ns2.svc.": both, "db.ns2.svc.cluster.local.": both,
        }
    }  # fmt: skip
