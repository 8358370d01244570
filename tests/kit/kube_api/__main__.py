"""The double as a process, for benchmarks and for kubectl by hand; until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from discovery.runtime.supervise import stop_on_signals
from tests.kit.kube_api.double import Double


async def _serve(port: int, kubeconfig: Path, *, rbac: bool, plaintext: bool) -> None:
    until = asyncio.Event()
    stop_on_signals(until)
    with tempfile.TemporaryDirectory() as folder:
        async with Double(Path(folder), port=port, plaintext=plaintext) as double:
            if rbac:
                double.enforce_rbac()
            shutil.copy(double.kubeconfig, kubeconfig)
            print(f"serving on {double.url}; export KUBECONFIG={kubeconfig}", flush=True)  # noqa: T201
            await until.wait()


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kit.kube_api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="written once the server is ready")
    parser.add_argument("--rbac", action="store_true", help="enforce roles for everybody but the administrator")
    parser.add_argument("--plaintext", action="store_true", help="without TLS")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.kubeconfig.resolve(), rbac=options.rbac, plaintext=options.plaintext))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
