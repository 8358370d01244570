from __future__ import annotations

from discovery.schema.meta import Kind
from discovery.schema.telemetry import CustomTag, LiteralTag, StandardMetric, Telemetry, WorkloadMode
from tests.kit.manifests import istio


def test_logs_metrics_and_traces() -> None:
    """The three parts of the API."""
    spec = istio(
        Kind.TELEMETRY,
        """
        accessLogging: [{providers: [{name: envoy}], match: {mode: SERVER}, filter: {expression: "true"}}]
        metrics: [{overrides: [{match: {metric: REQUEST_COUNT}, tagOverrides: {a: {operation: REMOVE}}}]}]
        tracing: [{randomSamplingPercentage: 0, customTags: {t: {literal: {value: v}}}}]
        """,
    ).spec
    assert isinstance(spec, Telemetry)
    log = spec.access_logging[0]
    assert log.match is not None
    assert (log.providers[0].name, log.match.mode, log.disabled) == ("envoy", WorkloadMode.SERVER, None)
    override = spec.metrics[0].overrides[0]
    assert override.match is not None
    assert override.match.metric is StandardMetric.REQUEST_COUNT
    assert spec.tracing[0].random_sampling_percentage == 0.0  # zero is written, None is not
    assert spec.tracing[0].custom_tags == {"t": CustomTag(literal=LiteralTag(value="v"))}
