"""The fixture `kube_api`: the double, or with `--kube=real` the real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.kube_api.double import Double
from tests.kit.kube_api.handle import KubeApi

__all__ = ["kube_api"]


@pytest.fixture
async def kube_api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KubeApi]:
    """An API server: a fresh double for each test, or the session's real one, which tests share."""
    if request.config.getoption("--kube", "double") == "real":
        async with KubeApi(request.getfixturevalue("control_plane").address) as api:
            yield api
        return
    async with Double(tmp_path) as double, KubeApi(double.address, double) as api:
        yield api
