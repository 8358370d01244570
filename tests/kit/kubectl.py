"""The real kubectl, run beside the test's event loop: the server it talks to may live in there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

__all__ = ["Done", "Kubectl"]

_WITHIN_S = 60.0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    code: int
    out: str
    err: str


class Kubectl:
    """One binary with one kubeconfig.

    Args:
        home: where it keeps its cache of discovery documents.
        namespace: what commands are about unless they say otherwise.
    """

    def __init__(self, binary: Path, kubeconfig: Path, *, home: Path, namespace: str = "default") -> None:
        self._command = (str(binary), "--namespace", namespace)
        self._environment = {"HOME": str(home), "KUBECONFIG": str(kubeconfig), "PATH": "/usr/bin:/bin"}

    async def run(self, *words: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Done:
        """Run to the end, whatever it is.

        Raises:
            TimeoutError: it does not end within a minute.
        """
        process = await self._start(*words, environment=environment)
        try:
            async with asyncio.timeout(_WITHIN_S):
                out, err = await process.communicate(stdin.encode())
        finally:
            await _stop(process)
        return Done(code=process.returncode or 0, out=out.decode(), err=err.decode())

    async def __call__(self, *words: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
        """What it prints; it must succeed."""
        done = await self.run(*words, stdin=stdin, environment=environment)
        assert done.code == 0, f"kubectl {' '.join(words)}: {done.code}: {done.err}{done.out}"
        return done.out

    @asynccontextmanager
    async def streaming(self, *words: str) -> AsyncIterator[asyncio.StreamReader]:
        """What it prints while it runs; it is stopped at the end of the context."""
        process = await self._start(*words)
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            await _stop(process)

    async def _start(self, *words: str, environment: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *self._command,
            *words,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**self._environment, **(environment or {})},
        )


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()  # also closes the pipes
