"""Access logs as Envoy reads them."""

from __future__ import annotations

from discovery.translate.filters.access_log import (
    DEFAULT_FIELDS,
    DEFAULT_LINE,
    FileLog,
    access_log,
    listener_access_log,
)
from discovery.wire.envoy import CelFilter, FileAccessLog


def test_default_line() -> None:
    """The default line has the same operators as the JSON object, in Istio's order, and ends in a newline."""
    assert DEFAULT_LINE.startswith('[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ')
    assert DEFAULT_LINE.endswith("%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n")
    assert DEFAULT_LINE.count("%") == 2 * (len(DEFAULT_FIELDS))


def test_json_fields_are_a_structure() -> None:
    """JSON formats become Envoy's ``json_format``."""
    packed = access_log(FileLog("/l", fields='{"p": "%PROTOCOL%"}'))["typed_config"]["value"]
    message = FileAccessLog.FromString(packed)
    assert message.log_format.json_format["p"] == "%PROTOCOL%"


def test_listener_logs_what_no_chain_took() -> None:
    """The listener's own log is for connections that met no filter chain."""
    assert listener_access_log(FileLog("/l"))["filter"] == {"response_flag_filter": {"flags": ["NR"]}}


def test_an_expression_decides_what_is_logged() -> None:
    """CEL, as Envoy evaluates it; at the listener both conditions must hold."""
    log = FileLog("/l", expression="response.code >= 400", omit_empty=True)
    accepted = access_log(log)["filter"]
    packed = accepted["extension_filter"]["typed_config"]["value"]
    assert CelFilter.FromString(packed).expression == "response.code >= 400"
    assert FileAccessLog.FromString(access_log(log)["typed_config"]["value"]).log_format.omit_empty_values
    unserved, also = listener_access_log(log)["filter"]["and_filter"]["filters"]
    assert unserved == {"response_flag_filter": {"flags": ["NR"]}}
    assert also == accepted
