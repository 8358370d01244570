"""The cluster of a kubeconfig."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.ctl.errors import CtlError
from discovery.ctl.kube_client import opened_client
from tests.kit.kube_api.handle import KubeApi


async def test_client_is_open_within_the_block(kube_api: KubeApi) -> None:
    """As the kubeconfig says."""
    async with opened_client(str(kube_api.kubeconfig), "") as client:
        assert b'"items"' in await client.get("/api/v1/namespaces")


@pytest.mark.parametrize("context", ["", "elsewhere"], ids=["no file", "no context"])
async def test_kubeconfig_that_cannot_be_used_is_named(kube_api: KubeApi, tmp_path: Path, context: str) -> None:
    """With what is wrong with it."""
    path = str(kube_api.kubeconfig if context else tmp_path / "none")
    with pytest.raises(CtlError, match=f"^cluster of {path}: .*{context}"):
        async with opened_client(path, context):
            raise AssertionError("it was opened")


async def test_refusal_of_the_api_server_is_an_error_of_the_command(kube_api: KubeApi) -> None:
    """No traceback."""
    with pytest.raises(CtlError, match="404"):
        async with opened_client(str(kube_api.kubeconfig), "") as client:
            await client.get("/apis/no.such/v1/things")
