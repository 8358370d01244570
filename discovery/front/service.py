"""The front Envoy as a service: started, restarted when it falls, given new certificates without a restart."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from discovery.front.bootstrap import FrontSettings, front_bootstrap, front_secrets
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.files import write_atomically
from discovery.runtime.http_client import HttpClientError, UnixTarget, fetch
from discovery.runtime.logs import get_logger
from discovery.runtime.process import Output, Process, ProcessSpec

__all__ = ["Front", "FrontError", "ServingCertificate"]

log = get_logger("front")

_START_S: Final = 15.0
_STEADY_S: Final = 60.0  # a front that ran this long is restarted as if it had never fallen


class FrontError(RuntimeError):
    """The secure port could not be opened; the text says why."""


class ServingCertificate(NamedTuple):
    """What the secure port presents, and what it verifies client certificates with. PEM texts."""

    chain_pem: str
    key_pem: str
    roots_pem: str


class Front:
    """The secure port. ``port`` is the real one once entered."""

    name = "secure port"

    def __init__(
        self, *, binary: str, host: str, port: int, upstream_path: str, certificate: Callable[[], ServingCertificate]
    ) -> None:
        """``certificate`` is asked at the start and at every ``renew``."""
        self._binary = binary
        self._host = host
        self.port = port
        self._upstream_path = upstream_path
        self._certificate = certificate
        self._directory = Path()
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        self._directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="pilot-front-"))
        try:
            self.renew()
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await self._process.stop()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    def renew(self) -> None:
        """Give Envoy the present certificate and roots; it takes them up without losing a connection."""
        for name, document in front_secrets(**self._certificate()._asdict()).items():
            write_atomically(self._directory / name, msgspec.json.encode(document))

    async def run(self) -> None:
        """Keep the port open: a front that ends by itself is started again, later each time it falls soon."""
        delays = backoff_delays(first_s=0.2, max_s=15)
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None  # noqa: S101 - entered before run
            started_at = loop.time()
            ended = await self._process.wait()
            if loop.time() - started_at > _STEADY_S:
                delays = backoff_delays(first_s=0.2, max_s=15)
            delay_s = next(delays)
            log.error("secure port lost its Envoy", exit=str(ended), restart_in_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)
            try:
                await self._start()
            except FrontError as failure:
                log.error("secure port not reopened", reason=str(failure))

    async def _start(self) -> None:
        settings = FrontSettings(
            host=self._host,
            port=self.port,
            upstream_path=self._upstream_path,
            secrets_dir=str(self._directory),
            admin_path=str(self._directory / "admin"),
        )
        config = self._directory / "bootstrap.json"
        write_atomically(config, msgspec.json.encode(front_bootstrap(settings)))
        argv = (
            self._binary,
            *("-c", str(config)),
            *("--concurrency", "1"),
            *("--log-level", "warning"),
            "--disable-hot-restart",
        )
        lines: list[str] = []
        self._process = Process(
            ProcessSpec(name="front Envoy", argv=argv, output=Output.LINES), sink=lambda _, line: _note(lines, line)
        )
        await self._process.start()
        self.port = await self._bound_port(lines)

    async def _bound_port(self, lines: list[str]) -> int:
        """The port that Envoy bound, once it listens.

        Raises:
            FrontError: it ended, or did not listen in time.
        """
        assert self._process is not None  # noqa: S101 - just started
        admin = UnixTarget(str(self._directory / "admin"))
        try:
            async with asyncio.timeout(_START_S):
                while self._process.exit is None:
                    port = await _listening(admin)
                    if port:
                        return port
                    await asyncio.sleep(0.02)  # Envoy has no other way to tell that it listens
        except TimeoutError:
            raise FrontError(f"front Envoy does not listen after {_START_S:.0f} s; {' / '.join(lines)}") from None
        raise FrontError(f"front Envoy {self._process.exit}; {' / '.join(lines) or 'it said nothing'}")


def _note(lines: list[str], raw: bytes) -> None:
    """Pass on what Envoy says, and keep the last words for an error."""
    text = raw.decode(errors="replace")
    log.warning("front Envoy", line=text)
    lines.append(text)
    del lines[:-5]


async def _listening(admin: UnixTarget) -> int:
    try:
        answer = await fetch(admin, "/listeners?format=json", timeout_s=1)
    except HttpClientError:
        return 0
    if answer.status != 200:
        return 0
    status = msgspec.json.decode(answer.body)
    for listener in status.get("listener_statuses", ()):
        return int(listener["local_address"]["socket_address"]["port_value"])
    return 0
