"""The generator as a process: flags say where to connect, lines on standard input say what to do.

``connect N`` adds N sidecars and waits until they are ready; ``mark`` counts anew; ``settle AT_LEAST QUIET_S`` waits
for that many responses on each stream and then for quiet; ``drop`` and ``reopen`` make all of them reconnect;
``report``; ``quit``. Each line is answered by one line of JSON with ``ok``, ``now`` (monotonic seconds) and the report.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from benchmarks.loadgen.fleet import Fleet, Target
from benchmarks.loadgen.messages import Sidecar
from benchmarks.loadgen.payload import Variant

__all__ = ["main"]


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loadgen", description=__doc__)
    parser.add_argument("--address", required=True, help="host:port of an ADS server")
    parser.add_argument("--mode", type=Variant, choices=list(Variant), default=Variant.DELTA)
    parser.add_argument("--channels", type=int, default=8, help="connections that the streams share (8)")
    parser.add_argument("--namespace", default="bench", help="namespace of the sidecars (bench)")
    parser.add_argument("--cluster-id", default="Kubernetes")
    parser.add_argument("--first-ip", default="10.240.0.1", help="address of the first sidecar; others follow it")
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="label of every sidecar")
    parser.add_argument("--token-file", type=Path, help="bearer token")
    parser.add_argument("--root-cert", type=Path, help="PEM of the server's root; turns TLS on")
    parser.add_argument("--server-name", default="", help="name to expect in the server's certificate")
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds that connect and settle wait at most")
    return parser.parse_args(argv)


def sidecars(first: int, count: int, arguments: argparse.Namespace) -> list[Sidecar]:
    """Sidecars number ``first`` to ``first + count - 1``."""
    labels = tuple(sorted((key, value) for key, _, value in (text.partition("=") for text in arguments.label)))
    base = ip_address(arguments.first_ip)
    return [
        Sidecar(
            name=f"sidecar-{number:05}",
            ip=str(base + number),
            namespace=arguments.namespace,
            cluster_id=arguments.cluster_id,
            labels=labels,
        )
        for number in range(first, first + count)
    ]


class _Commands:
    """Carries out one line at a time."""

    def __init__(self, fleet: Fleet, arguments: argparse.Namespace) -> None:
        self._fleet = fleet
        self._arguments = arguments
        self._connected = 0

    async def run(self, line: str) -> bool:
        """Do what the line says; False when it could not be done in time."""
        word, *values = line.split()
        timeout_s: float = self._arguments.timeout
        if word == "connect":
            count = int(values[0])
            self._fleet.add(sidecars(self._connected, count, self._arguments))
            self._connected += count
            return await self._fleet.wait_ready(timeout_s)
        if word == "settle":
            at_least, quiet_s = int(values[0]), float(values[1])
            return await self._fleet.settle(quiet_s=quiet_s, at_least=at_least, timeout_s=timeout_s)
        if word == "mark":
            self._fleet.mark()
        elif word == "drop":
            await self._fleet.drop()
        elif word == "reopen":
            self._fleet.reopen()
        elif word != "report":
            raise ValueError(f"unknown command {word!r}: want connect, mark, settle, drop, reopen, report or quit")
        return True


async def _serve(arguments: argparse.Namespace) -> None:
    target = Target(
        address=arguments.address,
        variant=arguments.mode,
        channels=arguments.channels,
        token=arguments.token_file.read_text().strip() if arguments.token_file else "",
        root_cert=arguments.root_cert.read_bytes() if arguments.root_cert else b"",
        server_name=arguments.server_name,
    )
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with Fleet(target) as fleet:
        commands = _Commands(fleet, arguments)
        while line := (await lines.readline()).decode().strip():
            if line == "quit":
                break
            done = await commands.run(line)
            print(json.dumps({"ok": done, "now": time.monotonic()} | fleet.report()), flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run until standard input ends or says ``quit``."""
    asyncio.run(_serve(_arguments(sys.argv[1:] if argv is None else argv)))


if __name__ == "__main__":
    main()
