"""Which statistics Envoy keeps and how their names become labels.

Pods ask for more with annotations; what the agent and the control plane need themselves is always in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from discovery.wire.durations import format_duration, parse_duration
from discovery.wire.proxy_config import ProxyConfig, StatsMatcher

__all__ = ["StatsResult", "build_stats"]

_ANNOTATION: Final = "sidecar.istio.io/"
_DEFAULT_FLUSH_S: Final = 5.0
_POD_IP: Final = "{pod_ip}"

# Cluster names end in ";" (every alt_stat_name does), so that dots inside of them are no border.
_TAGS_BEFORE: Final = (
    ("cluster_name", r"^cluster(\.(.+);)"),
    ("http_conn_manager_prefix", r"^http\.(((?:[_.[:digit:]\w]*|[_\[\]aAbBcCdDeEfF[:digit:]\w\:]*));\.)"),
    ("thread_name", r"^server(\.(.+))\.watchdog"),
    ("tcp_prefix", r"^tcp\.((.*?)\.)\w+?$"),
    ("response_code", r"_rq(_(\d{3}))$"),
    ("response_code_class", r"_rq(_(\dxx))$"),
    (
        "http_conn_manager_listener_prefix",
        r"^listener(?=\.).*?\.http\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)",
    ),
    ("listener_address", r"^listener\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)"),
    ("mongo_prefix", r"^mongo\.(.+?)\.(collection|cmd|cx_|op_|delays_|decoding_)(.*?)$"),
)
_TAGS_AFTER: Final = (
    ("cache", r"(cache\.(.+?)\.)"),
    ("component", r"(component\.(.+?)\.)"),
    ("tag", r"(tag\.(.+?);\.)"),
    ("wasm_filter", r"(wasm_filter\.(.+?)\.)"),
    ("authz_enforce_result", r"rbac(\.(allowed|denied))"),
    ("authz_dry_run_action", r"(\.istio_dry_run_(allow|deny)_)"),
    ("authz_dry_run_result", r"(\.shadow_(allowed|denied))"),
)
_PREFIXES: Final = ("cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm")
_SUFFIXES: Final = ("rbac.allowed", "rbac.denied", "shadow_allowed", "shadow_denied")
_REGEXES: Final = (r"vhost\..*\.route\..*",)


class StatsResult(msgspec.Struct, frozen=True, kw_only=True):
    """Members of the bootstrap (``stats_config`` and intervals), and what of the annotations was ignored."""

    members: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def build_stats(
    config: ProxyConfig,
    annotations: Mapping[str, str],
    ips: Sequence[str],
    *,
    metadata_discovery: bool = False,
    count_connections: bool = False,
) -> StatsResult:
    """Statistics for one node.

    Args:
        config: extra tags and inclusions; annotations replace the latter list by list.
        annotations: of the pod.
        ips: what ``{pod_ip}`` in an inclusion stands for, once each.
        metadata_discovery: keep the statistics of that extension.
        count_connections: keep ``downstream_cx_active``, for a drain that waits for zero connections.
    """
    warnings: list[str] = []
    buckets = _histogram_buckets(annotations.get(_ANNOTATION + "statsHistogramBuckets", ""), warnings)
    members: dict[str, Any] = dict(_intervals(annotations, warnings))
    stats: dict[str, Any] = {
        "use_all_default_tags": False,
        "stats_tags": _tags(_extra_tags(config, annotations)),
    }
    if buckets:
        stats["histogram_bucket_settings"] = buckets
    matcher = config.proxy_stats_matcher or StatsMatcher()
    suffixes = (*_SUFFIXES, "downstream_cx_active") if count_connections else _SUFFIXES
    patterns = [
        *_patterns("prefix", ("reporter=", "workload_discovery") if metadata_discovery else ("reporter=",)),
        *_patterns("prefix", (*_wanted(annotations, "Prefixes", matcher.inclusion_prefixes, ips), *_PREFIXES)),
        *_patterns("suffix", (*_wanted(annotations, "Suffixes", matcher.inclusion_suffixes, ips), *suffixes)),
        *({"safe_regex": {"regex": text}} for text in _regexes(annotations, matcher, ips)),
        *_patterns("prefix", ("component", "istio")),
    ]
    stats["stats_matcher"] = {"inclusion_list": {"patterns": patterns}}
    members["stats_config"] = stats
    return StatsResult(members=members, warnings=tuple(warnings))


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _extra_tags(config: ProxyConfig, annotations: Mapping[str, str]) -> Iterable[str]:
    return dict.fromkeys((*config.extra_stat_tags, *_list(annotations.get(_ANNOTATION + "extraStatTags", ""))))


def _tags(extra: Iterable[str]) -> list[dict[str, str]]:
    named = [(tag, rf"({re.escape(tag)}=\.=(.*?);\.;)") for tag in extra]
    return [{"tag_name": name, "regex": regex} for name, regex in (*_TAGS_BEFORE, *named, *_TAGS_AFTER)]


def _patterns(kind: str, texts: Iterable[str]) -> list[dict[str, str]]:
    return [{kind: text} for text in texts]


def _wanted(
    annotations: Mapping[str, str], what: str, configured: tuple[str, ...], ips: Sequence[str]
) -> tuple[str, ...]:
    annotated = annotations.get(f"{_ANNOTATION}statsInclusion{what}")
    texts = configured if annotated is None else _list(annotated)
    expanded: list[str] = []
    for text in texts:
        expanded += [text.replace(_POD_IP, ip) for ip in dict.fromkeys(ips)] if _POD_IP in text else [text]
    return tuple(expanded)


def _regexes(annotations: Mapping[str, str], matcher: StatsMatcher, ips: Sequence[str]) -> tuple[str, ...]:
    return (*_wanted(annotations, "Regexps", matcher.inclusion_regexps, ips), *_REGEXES)


def _histogram_buckets(text: str, warnings: list[str]) -> list[dict[str, Any]]:
    if not text:
        return []
    try:
        buckets = msgspec.json.decode(text, type=dict[str, list[float]])
    except msgspec.MsgspecError as error:
        warnings.append(f"annotation {_ANNOTATION}statsHistogramBuckets is ignored: {error}")
        return []
    return [{"match": {"prefix": prefix}, "buckets": buckets[prefix]} for prefix in sorted(buckets)]


def _interval(annotations: Mapping[str, str], what: str, warnings: list[str]) -> float | None:
    name = f"{_ANNOTATION}stats{what}Interval"
    if name not in annotations:
        return None
    try:
        seconds = parse_duration(annotations[name])
    except ValueError as error:
        warnings.append(f"annotation {name} is ignored: {error}")
        return None
    if seconds <= 0:
        warnings.append(f"annotation {name} is ignored: want more than 0")
        return None
    return seconds


def _intervals(annotations: Mapping[str, str], warnings: list[str]) -> Iterable[tuple[str, str]]:
    flush = _interval(annotations, "Flush", warnings)
    if flush is not None:
        yield "stats_flush_interval", format_duration(flush)
    eviction = _interval(annotations, "Eviction", warnings)
    if eviction is None:
        return
    whole, unit = float(int(eviction)), flush or _DEFAULT_FLUSH_S
    if whole <= 0 or round(whole / unit) * unit != whole:  # Envoy refuses anything else
        warnings.append(
            f"annotation {_ANNOTATION}statsEvictionInterval is ignored: {eviction:g} s is no multiple of the flush "
            f"interval of {unit:g} s"
        )
        return
    yield "stats_eviction_interval", format_duration(whole)
