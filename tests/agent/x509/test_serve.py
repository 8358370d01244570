"""The child's loop."""

from __future__ import annotations

import io
import resource
import subprocess
import sys

import msgspec
import pytest

from agent.x509.frames import FrameError, frame, read_frame
from agent.x509.messages import CheckRoots, KeyWithRequest, Refused, decode_answer, encode
from agent.x509.serve import serve
from tests.kit.inline_x509 import P256_KEY


def test_each_question_has_its_answer() -> None:
    """In order, refusals among them, until the pipe ends."""
    questions = io.BytesIO(frame(encode(P256_KEY)) + frame(encode(CheckRoots(bundles=(), where="here"))))
    answers = io.BytesIO()
    serve(questions, answers)
    answers.seek(0)
    made, refused = (decode_answer(read_frame(answers) or b"") for _ in range(2))
    assert isinstance(made, KeyWithRequest)
    assert isinstance(refused, Refused)


def test_no_core_is_dumped() -> None:
    """The limit is zero, and cannot be raised."""
    code = "import resource; from agent.x509.serve import forbid_core_dumps as f; f(); print(resource.getrlimit(4))"
    assert resource.RLIMIT_CORE == 4
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "(0, 0)\n"


@pytest.mark.parametrize("rubbish", [b"\0\0\0\1\xc1", b"\0"])
def test_rubbish_ends_it(rubbish: bytes) -> None:
    """Nobody but an agent speaks to it."""
    with pytest.raises((FrameError, msgspec.DecodeError)):
        serve(io.BytesIO(rubbish), io.BytesIO())
