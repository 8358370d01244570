"""The cluster that a person's kubeconfig leads to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from discovery.ctl.errors import CtlError
from discovery.kube.config import KubeConfig
from discovery.kube.errors import KubeError

if TYPE_CHECKING:
    from discovery.kube.client import KubeClient

__all__ = ["DEFAULT_KUBECONFIG", "opened_client"]

DEFAULT_KUBECONFIG: Final = str(Path("~/.kube/config").expanduser())


@asynccontextmanager
async def opened_client(kubeconfig: str, context: str) -> AsyncIterator[KubeClient]:
    """A client of the cluster of a kubeconfig (paths joined by ``:``), for as long as the block lasts.

    Raises:
        CtlError: the kubeconfig cannot be used, or, within the block, the API server gave no good answer.
    """
    from discovery.kube.client import connect  # an HTTP client that other commands do without

    client: KubeClient | None = None
    try:
        client = await connect(KubeConfig(kubeconfig=kubeconfig, context=context, user_agent="pilotctl"))
        yield client
    except KubeError as error:
        raise CtlError(f"cluster of {kubeconfig}: {error}") from error
    finally:
        if client is not None:
            await client.close()
