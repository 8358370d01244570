from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.mesh_config import NormalizationType
from discovery.translate.filters.access_log import FileLog
from discovery.translate.filters.connection_manager import ManagerOptions, connection_manager, rds
from discovery.translate.filters.http import Side
from discovery.wire.envoy import Filter, HttpConnectionManager


def _manager(options: ManagerOptions, **arguments: Any) -> Any:
    built = connection_manager(options, rds("80"), stat_prefix="s", **arguments)
    return HttpConnectionManager.FromString(Filter.FromString(built).typed_config.value)


def test_routes_come_over_the_same_stream() -> None:
    """Routes are asked for by name over ADS, and waited for without limit."""
    manager = _manager(ManagerOptions(side=Side.OUTBOUND))
    assert manager.rds.route_config_name == "80"
    assert manager.rds.config_source.HasField("ads")
    assert manager.rds.config_source.initial_fetch_timeout.ToSeconds() == 0
    assert manager.stat_prefix == "s"


def test_inbound_names_itself_and_the_caller() -> None:
    """Inbound, the application learns the caller's certificate names; outbound nothing is added."""
    inbound = _manager(ManagerOptions(side=Side.INBOUND))
    assert inbound.server_name == "istio-envoy"
    assert inbound.forward_client_cert_details == HttpConnectionManager.APPEND_FORWARD
    assert inbound.set_current_client_cert_details.uri
    outbound = _manager(ManagerOptions(side=Side.OUTBOUND))
    assert outbound.server_name == ""
    assert outbound.forward_client_cert_details == HttpConnectionManager.SANITIZE


@pytest.mark.parametrize(
    ("how", "normalize", "merge", "unescape"),
    [
        (NormalizationType.DEFAULT, True, False, False),
        (NormalizationType.NONE, False, False, False),
        (NormalizationType.BASE, True, False, False),
        (NormalizationType.MERGE_SLASHES, True, True, False),
        (NormalizationType.DECODE_AND_MERGE_SLASHES, True, True, True),
    ],
)
def test_path_normalization(how: NormalizationType, normalize: bool, merge: bool, unescape: bool) -> None:
    """Each level of the mesh configuration adds to the one before."""
    manager = _manager(ManagerOptions(side=Side.INBOUND, normalization=how))
    assert manager.normalize_path.value is normalize
    assert manager.merge_slashes is merge
    assert bool(manager.path_with_escaped_slashes_action) is unescape


def test_http1_options_only_where_wanted() -> None:
    """HTTP/1.0 and absolute URLs are accepted where the proxy or the listener asks for it."""
    assert not _manager(ManagerOptions(side=Side.OUTBOUND)).HasField("http_protocol_options")
    old = _manager(ManagerOptions(side=Side.OUTBOUND, http10=True), forward_proxy=True)
    assert old.http_protocol_options.accept_http_10
    assert old.http_protocol_options.allow_absolute_url.value


def test_requests_are_logged() -> None:
    """Each log of the mesh is one of the manager."""
    manager = _manager(ManagerOptions(side=Side.OUTBOUND, access_logs=(FileLog("/a"), FileLog("/b"))))
    assert [log.name for log in manager.access_log] == ["envoy.access_loggers.file"] * 2
