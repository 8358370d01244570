from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from discovery.runtime.process import MAX_LINE_BYTES, Output, Process, ProcessEndedError, ProcessSpec, SpawnError
from discovery.runtime.process_lifecycle import IllegalTransitionError, ProcessState
from tests.kit.eventually import eventually


def _shell(script: str, *, output: Output = Output.DISCARD, grace_s: float = 5.0) -> ProcessSpec:
    return ProcessSpec(name="child", argv=("/bin/sh", "-c", script), output=output, grace_s=grace_s)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


class Lines:
    """Collects what a child says, and lets a test wait for a line."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self._news = asyncio.Event()

    def __call__(self, stream: str, line: bytes) -> None:
        self.seen.append((stream, line))
        self._news.set()

    async def wait_for(self, count: int) -> None:
        while len(self.seen) < count:
            self._news.clear()
            await self._news.wait()


async def test_exit_status_is_seen() -> None:
    """The status of a child that ends by itself is its exit, and that is no end we asked for."""
    process = Process(_shell("exit 7"))
    await process.start()
    ended = await process.wait()
    assert (ended.code, ended.signal, ended.asked) == (7, None, False)
    assert process.state is ProcessState.EXITED
    process.kill_now()


async def test_run_reports_a_crash() -> None:
    """Under a supervisor the end of the child is an error that names the signal."""
    with pytest.raises(ProcessEndedError, match="child ended by itself: killed by SIGSEGV") as caught:
        async with Process(_shell("kill -SEGV $$")) as process:
            await process.run()
    assert caught.value.exit.signal == signal.SIGSEGV


async def test_leaving_ends_the_child() -> None:
    """Leaving the context sends SIGTERM, and that is a clean end."""
    lines = Lines()
    async with Process(_shell("echo up; exec sleep 60", output=Output.LINES), sink=lines) as process:
        await lines.wait_for(1)
        pid = process.pid
    assert pid is not None
    assert not _alive(pid)
    assert process.exit is not None
    assert (process.exit.signal, process.exit.asked) == (signal.SIGTERM, True)


async def test_a_child_that_ignores_sigterm_is_killed() -> None:
    """After the grace SIGKILL ends it."""
    lines = Lines()
    script = "trap '' TERM; echo up; while :; do sleep 60 & wait; done"
    process = Process(_shell(script, output=Output.LINES, grace_s=0.02), sink=lines)
    await process.start()
    await lines.wait_for(1)
    ended = await process.stop()
    assert ended is not None
    assert (ended.signal, ended.asked) == (signal.SIGKILL, True)
    process.kill_now()


async def test_the_whole_group_ends() -> None:
    """What the child started ends with it, even if the child just dies."""
    lines = Lines()
    process = Process(_shell("sleep 60 & echo $!; kill -KILL $$", output=Output.LINES), sink=lines)
    await process.start()
    await process.wait()
    await lines.wait_for(1)
    grandchild = int(lines.seen[0][1])
    await eventually(lambda: not _alive(grandchild))  # the kernel delivers a signal in its own time
    process.kill_now()


async def test_the_child_leads_its_own_group() -> None:
    """A terminal's Ctrl-C goes to our group, so the child must not be in it."""
    lines = Lines()
    async with Process(_shell("echo up; exec sleep 60", output=Output.LINES), sink=lines) as process:
        assert process.pid is not None
        assert os.getpgid(process.pid) == process.pid != os.getpgid(0)


async def test_lines_are_forwarded_whole() -> None:
    """Lines come without their end, each stream under its name, a last line without a break too."""
    lines = Lines()
    process = Process(_shell(r"printf 'a\nb\r\nrest'; echo oops >&2", output=Output.LINES), sink=lines)
    await process.start()
    await process.wait()
    await lines.wait_for(4)
    assert [line for stream, line in lines.seen if stream == "stdout"] == [b"a", b"b", b"rest"]
    assert [line for stream, line in lines.seen if stream == "stderr"] == [b"oops"]
    process.kill_now()


async def test_an_endless_line_is_cut() -> None:
    """A child without line breaks gets its output in bounded pieces and nothing is lost."""
    lines = Lines()
    size = 3 * MAX_LINE_BYTES
    argv = (sys.executable, "-Sc", f"import sys; sys.stdout.write('x' * {size})")
    process = Process(ProcessSpec(name="child", argv=argv, output=Output.LINES), sink=lines)
    await process.start()
    await process.wait()
    await lines.wait_for(3)
    while sum(len(line) for _, line in lines.seen) < size:
        await lines.wait_for(len(lines.seen) + 1)
    assert max(len(line) for _, line in lines.seen) <= MAX_LINE_BYTES
    process.kill_now()


async def test_a_missing_program_is_a_clear_error() -> None:
    """The error names the program and the system's reason."""
    process = Process(ProcessSpec(name="envoy", argv=("/nonexistent/envoy",)))
    with pytest.raises(SpawnError, match=r"cannot start envoy \(/nonexistent/envoy\): No such file"):
        await process.start()
    assert process.state is ProcessState.FAILED
    assert await process.stop() is None


async def test_a_program_that_may_not_run_is_a_clear_error(tmp_path: Path) -> None:
    """A file without the right to execute is named as such."""
    (tmp_path / "envoy").write_text("")
    with pytest.raises(SpawnError, match="Permission denied"):
        await Process(ProcessSpec(name="envoy", argv=(str(tmp_path / "envoy"),))).start()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux")
async def test_a_child_does_not_outlive_a_parent_that_was_killed() -> None:
    """SIGKILL gives the parent no chance to clean up; the kernel does it."""
    script = (
        "import asyncio, sys; from discovery.runtime.process import *\n"
        "async def main():\n"
        "    child = Process(ProcessSpec(name='child', argv=('/bin/sleep', '60')))\n"
        "    await child.start(); print(child.pid, flush=True); await child.wait()\n"
        "asyncio.run(main())"
    )
    lines = Lines()
    spec = ProcessSpec(name="parent", argv=(sys.executable, "-c", script), output=Output.LINES)
    process = Process(spec, sink=lines)
    await process.start()
    await lines.wait_for(1)
    child = int(lines.seen[0][1])
    process.kill()
    await process.wait()
    await eventually(lambda: not _alive(child))
    process.kill_now()


async def test_a_process_starts_once() -> None:
    """A second start is refused; a new child is a new object."""
    async with Process(_shell("exec sleep 60")) as process:
        with pytest.raises(IllegalTransitionError):
            await process.start()


async def test_stopping_twice_is_harmless() -> None:
    """Whoever asks second gets the same answer."""
    async with Process(_shell("exec sleep 60")) as process:
        assert await process.stop() == await process.stop()


async def test_cancellation_while_stopping_still_kills() -> None:
    """A shutdown that is itself cut short leaves no process."""
    lines = Lines()
    process = Process(_shell("trap '' TERM; echo up; while :; do sleep 60; done", output=Output.LINES), sink=lines)
    await process.start()
    await lines.wait_for(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await process.__aexit__(None, None, None)
    assert (await process.wait()).signal == signal.SIGKILL


async def test_how_it_ended_is_known_whoever_collects_it() -> None:
    """Letting go of a process that has just ended may collect it before the loop does, which then knows of none."""
    for _ in range(20):
        process = Process(_shell("exec sleep 60"))
        await process.start()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.kill_now()
        assert (await process.wait()).signal == signal.SIGKILL


def test_lines_need_a_sink() -> None:
    """Output that nobody takes is a mistake of the caller."""
    with pytest.raises(ValueError, match="needs a sink"):
        Process(_shell("true", output=Output.LINES))
