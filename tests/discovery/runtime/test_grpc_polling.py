"""gRPC is told how to wait before it is loaded, and nobody else is."""

from __future__ import annotations

import os
import subprocess
import sys

from discovery.runtime.grpc_polling import loading_grpc


def test_it_is_told_while_it_is_loaded() -> None:
    """And the variable is gone afterwards, also when loading failed."""
    environ: dict[str, str] = {}
    with loading_grpc(environ):
        assert environ == {"GRPC_EXPERIMENTS": "-event_engine_listener"}
    assert environ == {}


def test_what_a_user_tells_grpc_stays() -> None:
    """Nothing is added to it."""
    environ = {"GRPC_EXPERIMENTS": "tcp_rcv_lowat"}
    with loading_grpc(environ):
        assert environ == {"GRPC_EXPERIMENTS": "tcp_rcv_lowat"}
    assert environ == {"GRPC_EXPERIMENTS": "tcp_rcv_lowat"}


def test_the_program_tells_it_something_that_it_knows() -> None:
    """The core complains of names that it does not know; a new version may no longer have ours."""
    program = "import os, sys, discovery.__main__; print('grpc' in sys.modules, 'GRPC_EXPERIMENTS' in os.environ)"
    environ = {**os.environ, "GRPC_VERBOSITY": "error"}  # noqa: TID251 - of the program that is started
    environ.pop("GRPC_EXPERIMENTS", None)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environ, check=True
    )
    assert done.stdout.split() == ["True", "False"]
    assert "experiment" not in done.stderr
    environ["GRPC_EXPERIMENTS"] = "no_such_experiment"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environ, check=True
    )
    assert "no_such_experiment" in done.stderr  # or the assertion above proves nothing
