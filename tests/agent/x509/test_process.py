"""The child process: started when needed, gone when not, replaced when it fails."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent.x509.client import X509
from agent.x509.process import X509Process
from certs.errors import CertsError
from tests.kit.eventually import eventually
from tests.kit.inline_x509 import P256_KEY

ECHO = "import sys; b = sys.stdin.buffer\nwhile d := b.read1(): sys.stdout.buffer.write(d); sys.stdout.flush()"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


@asynccontextmanager
async def running(process: X509Process) -> AsyncIterator[X509Process]:
    async with process, asyncio.TaskGroup() as group:
        task = group.create_task(process.run())
        yield process
        task.cancel()


async def test_real_child_answers() -> None:
    """The one that agents start makes keys."""
    async with running(X509Process()) as process:
        assert process.pid is None
        made = await X509(process.exchange).make_key(P256_KEY)
        assert made.csr.startswith(b"-----BEGIN CERTIFICATE REQUEST-----")
        assert process.pid is not None


async def test_one_child_answers_several_questions_in_turn() -> None:
    """Questions asked at once do not mix."""
    async with running(X509Process(python(ECHO))) as process:
        questions = [bytes([number]) * 1000 for number in range(5)]
        assert await asyncio.gather(*map(process.exchange, questions)) == questions
        first = process.pid
        assert await process.exchange(b"x") == b"x"
        assert process.pid == first


async def test_idle_child_is_ended_and_replaced() -> None:
    """Nothing is kept between renewals; the next question starts another child."""
    async with running(X509Process(python(ECHO), idle_s=0.01)) as process:
        await process.exchange(b"x")
        await eventually(lambda: process.pid is None)
        assert await process.exchange(b"y") == b"y"


async def test_leaving_ends_the_child() -> None:
    """The agent leaves nothing behind."""
    process = X509Process(python(ECHO))
    async with running(process):
        await process.exchange(b"x")
        pid = process.pid
        assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit(3)", "X.509 process"),
        ("import sys; sys.stdout.buffer.write(b'\\xff' * 4); sys.stdout.flush(); sys.stdin.read()", "announced"),
        ("import sys; sys.stdin.read()", "no answer within 0.5 s"),
    ],
)
async def test_failures_are_told(code: str, words: str) -> None:
    """A child that ends, talks nonsense or is silent is an error of that question."""
    async with running(X509Process(python(code), answer_s=0.5)) as process:
        with pytest.raises(CertsError, match=words):
            await process.exchange(b"x")
        assert process.pid is None


async def test_a_missing_program_is_told() -> None:
    """The text says that it is the X.509 process that cannot be started."""
    async with running(X509Process(("/nowhere/python",))) as process:
        with pytest.raises(CertsError, match=r"X\.509 process.*No such file"):
            await process.exchange(b"x")


async def test_a_child_that_was_killed_is_replaced() -> None:
    """The out-of-memory killer costs one question at most."""
    async with running(X509Process(python(ECHO))) as process:
        await process.exchange(b"x")
        killed = process.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        async def answered() -> bool:
            try:
                return await process.exchange(b"y") == b"y"
            except CertsError:
                return False

        await eventually(answered)
        assert process.pid not in (None, killed)


async def test_cancelled_question_leaves_no_answer_behind() -> None:
    """The answer to a question that nobody waits for is not taken for that to the next."""
    slow = "import sys; sys.stdin.buffer.read1(); sys.stdin.read()"
    async with running(X509Process(python(slow))) as process:
        asking = asyncio.ensure_future(process.exchange(b"x"))
        await eventually(lambda: process.pid is not None)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert process.pid is None
