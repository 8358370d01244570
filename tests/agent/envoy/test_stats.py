from __future__ import annotations

import pytest

from agent.envoy.stats import NO_STATISTIC, count_connections, parse_stats


def test_numbers_by_name() -> None:
    """Histograms, texts and other lines are left out; names may hold colons."""
    text = 'a.b: 3\nhost::1_80.x: 4\nh: P0(1,2)\nnote: "text"\nnonsense\n\nneg: -1\n'
    assert parse_stats(text) == {"a.b": 3, "host::1_80.x": 4}


@pytest.mark.parametrize(
    ("stats", "active"),
    [
        (
            {
                "listener.0.0.0.0_8080.downstream_cx_active": 4,
                "listener.0.0.0.0_15006.downstream_cx_active": 15,
                "listener.0.0.0.0_15006.worker_0.downstream_cx_active": 15,
                "listener.0.0.0.0_15021.downstream_cx_active": 1,
                "listener.[__]_15021.downstream_cx_active": 1,
                "listener.0.0.0.0_15090.downstream_cx_active": 1,
                "listener.admin.downstream_cx_active": 1,
                "listener.envoy_internal_main.downstream_cx_active": 1,
                "http.x.downstream_cx_active": 9,
            },
            19,
        ),
        ({"listener.0.0.0.0_15021.downstream_cx_active": 1, "listener.0.0.0.0_1.downstream_cx_active": 0}, 0),
        ({"listener.0.0.0.0_15021.downstream_cx_active": 1}, NO_STATISTIC),
        ({}, NO_STATISTIC),
    ],
)
def test_only_clients_of_applications_count(stats: dict[str, int], active: int) -> None:
    """Own listeners of either family, per-worker copies and internal ones do not hold a drain open."""
    assert count_connections(stats, own_ports=(15021, 15090, 0)) == active
