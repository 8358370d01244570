"""The fixtures `control_plane` and `cluster`: one real one of each for all tests of a run that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.kube.cluster import Cluster, running_cluster
from tests.kube.server import ControlPlane, running_control_plane

__all__ = ["REAL", "REAL_ONLY", "cluster", "control_plane"]

REAL: Final = "real"
"""The value of `--kube` that stands for a real API server; the default is the in-process double."""

REAL_ONLY: Final = frozenset({"cluster", "control_plane"})
"""Fixtures that have no double: tests that ask for them run with `--kube=real`, which is what `make test-kube` says."""


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A real API server with its store and controllers. Tests share it: make namespaces of your own."""
    with running_control_plane() as running:
        yield running


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A control plane and a node that runs pods for real; needs root. Tests share it: make namespaces of your own."""
    with running_cluster() as running:
        yield running
