"""Rules of Telemetry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from discovery.schema.proto_json import Problem
from discovery.schema.telemetry import CustomTag, Metrics, ProviderRef, TagOperation, Telemetry, Tracing
from discovery.validation.fields import check_duration, check_percent, error, warning
from discovery.validation.policy_target import check_policy_target

__all__ = ["check_telemetry"]


def check_telemetry(spec: Telemetry) -> Iterator[Problem]:
    """What is wrong with the policy."""
    yield from check_policy_target(spec.selector, spec.target_refs, spec.target_ref)
    if len(spec.tracing) > 1:
        yield warning(
            "spec.tracing", f"{len(spec.tracing)} statements: a later one replaces what an earlier one says of the same"
        )
    for i, tracing in enumerate(spec.tracing):
        yield from _tracing(tracing, f"spec.tracing[{i}]")
    for i, metrics in enumerate(spec.metrics):
        yield from _metrics(metrics, f"spec.metrics[{i}]")
    for i, logging in enumerate(spec.access_logging):
        yield from _providers(logging.providers, f"spec.accessLogging[{i}]")


def _providers(providers: Iterable[ProviderRef], at: str) -> Iterator[Problem]:
    for i, provider in enumerate(providers):
        if not provider.name:
            yield error(f"{at}.providers[{i}].name", "want the name of an extension provider, got none")


def _tracing(tracing: Tracing, at: str) -> Iterator[Problem]:
    yield from _providers(tracing.providers, at)
    yield from check_percent(tracing.random_sampling_percentage, f"{at}.randomSamplingPercentage")
    for name, tag in tracing.custom_tags.items():
        where = f"{at}.customTags[{name!r}]"
        if not name:
            yield error(where, "want a name for the tag, got none")
        yield from _custom_tag(tag, where)


def _custom_tag(tag: CustomTag, at: str) -> Iterator[Problem]:
    if tag.literal is not None and not tag.literal.value:
        yield error(f"{at}.literal.value", "want a value, got none")
    if tag.header is not None and not tag.header.name:
        yield error(f"{at}.header.name", "want the name of a header, got none")
    if tag.environment is not None and not tag.environment.name:
        yield error(f"{at}.environment.name", "want the name of a variable, got none")


def _metrics(metrics: Metrics, at: str) -> Iterator[Problem]:
    yield from _providers(metrics.providers, at)
    yield from check_duration(metrics.reporting_interval, f"{at}.reportingInterval")
    for i, override in enumerate(metrics.overrides):
        match = override.match
        if match is not None and match.custom_metric == "":
            yield error(f"{at}.overrides[{i}].match.customMetric", "want the name of a metric, got none")
        for name, tag in override.tag_overrides.items():
            if not name:
                yield error(f"{at}.overrides[{i}].tagOverrides", "want the name of a tag, got none")
            if tag.operation is TagOperation.UPSERT and not tag.value:
                where = f"{at}.overrides[{i}].tagOverrides[{name!r}].value"
                yield error(where, "want an expression, got none", "operation REMOVE removes the tag")
            if tag.operation is TagOperation.REMOVE and tag.value:
                where = f"{at}.overrides[{i}].tagOverrides[{name!r}].value"
                yield error(where, "does not go with operation REMOVE", "remove the value")
