from __future__ import annotations

import pytest

from agent.bootstrap.stats import build_stats
from discovery.wire.proxy_config import ProxyConfig, StatsMatcher

_P = "sidecar.istio.io/"


@pytest.mark.parametrize(
    ("annotations", "members", "warning"),
    [
        ({"statsFlushInterval": "1m"}, {"stats_flush_interval": "60s"}, ""),
        ({"statsEvictionInterval": "10s"}, {"stats_eviction_interval": "10s"}, ""),
        ({"statsEvictionInterval": "7s"}, {}, "no multiple of the flush interval of 5 s"),
        ({"statsEvictionInterval": "10.7s"}, {"stats_eviction_interval": "10s"}, ""),
        ({"statsFlushInterval": "20s", "statsEvictionInterval": "10s"}, {"stats_flush_interval": "20s"}, "no multiple"),
        ({"statsFlushInterval": "soon"}, {}, "'soon' is no duration"),
        ({"statsFlushInterval": "0s"}, {}, "more than 0"),
        ({"statsHistogramBuckets": "[1]"}, {}, "statsHistogramBuckets is ignored"),
    ],
)
def test_annotations_that_envoy_would_refuse_are_ignored(
    annotations: dict[str, str], members: dict[str, str], warning: str
) -> None:
    """A pod's typo costs its own wish, not its start; the warning says which annotation."""
    result = build_stats(ProxyConfig(), {_P + key: value for key, value in annotations.items()}, [])
    assert {key: value for key, value in result.members.items() if key != "stats_config"} == members
    assert bool(result.warnings) == bool(warning)
    assert warning in "".join(result.warnings)


def _patterns(result: object) -> list[dict[str, object]]:
    patterns: list[dict[str, object]] = result.members["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]  # type: ignore[attr-defined]
    return patterns


def test_annotations_replace_lists_one_by_one() -> None:
    """What ProxyConfig includes stays where no annotation speaks."""
    config = ProxyConfig(proxy_stats_matcher=StatsMatcher(inclusion_prefixes=("a",), inclusion_regexps=("b",)))
    patterns = _patterns(build_stats(config, {_P + "statsInclusionPrefixes": "c,{pod_ip}"}, ["1.1.1.1", "1.1.1.1"]))
    assert {"prefix": "a"} not in patterns
    assert patterns[1:3] == [{"prefix": "c"}, {"prefix": "1.1.1.1"}]
    assert {"safe_regex": {"regex": "b"}} in patterns


def test_tags_are_said_once() -> None:
    """A tag of both sources is one tag; its name is quoted in the expression."""
    tags = build_stats(ProxyConfig(extra_stat_tags=("a.b",)), {_P + "extraStatTags": "a.b"}, [])
    found = [tag for tag in tags.members["stats_config"]["stats_tags"] if tag["tag_name"] == "a.b"]
    assert found == [{"tag_name": "a.b", "regex": r"(a\.b=\.=(.*?);\.;)"}]


def test_a_drain_to_zero_needs_the_count() -> None:
    """Without the statistic the drain could not see an end."""
    assert {"suffix": "downstream_cx_active"} in _patterns(build_stats(ProxyConfig(), {}, [], count_connections=True))
