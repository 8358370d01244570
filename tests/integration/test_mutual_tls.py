"""Who may talk to a workload: STRICT, PERMISSIVE and DISABLE by edits of one file, with requests of both kinds."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from discovery.runtime.http_client import HttpClientError
from tests.kit.live import until
from tests.kit.live_backend import call
from tests.kit.live_mesh import prepared, serves, workloads

pytestmark = [pytest.mark.envoy]

CASES = Path(__file__).parent / "cases"

MODE = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: default}}
spec: {{mtls: {{mode: {mode}}}}}
"""


@pytest.mark.timeout(120)
async def test_modes(tmp_path: Path) -> None:
    """Plaintext is refused where STRICT is and answered elsewhere; callers of the mesh get through in every mode."""
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        discovery = await stack.enter_async_context(mesh.discovery())
        pair = workloads(mesh, backend, out)
        caller = await stack.enter_async_context(pair.caller.running(discovery))
        api = await stack.enter_async_context(pair.api.running(discovery))
        await serves(pair, caller, api)
        found = re.search(r"targetPort: (\d+)", (mesh.config / "mesh.yaml").read_text(encoding="utf-8"))
        assert found is not None
        door = ("127.0.0.61", int(found[1]))

        async def plaintext() -> str:
            try:
                return (await call(door, host=pair.host)).body.decode()
            except HttpClientError:
                return "refused"

        async def both(expected: str) -> bool:
            inside = (await call(pair.out, host=pair.host)).body
            return inside == b"api" and await plaintext() == expected

        assert await plaintext() == "refused"
        for mode, expected in (("PERMISSIVE", "api"), ("STRICT", "refused"), ("DISABLE", "api")):
            discovery.write("mode.yaml", MODE.format(mode=mode))
            await until(partial(both, expected), partial("{}: {}".format, mode, api.text[-3000:]))
