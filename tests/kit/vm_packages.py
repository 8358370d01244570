"""The packages of a virtual machine, built once per test run."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.kit.live import inherited_environment
from tests.kit.prerequisites import envoy_binary

__all__ = ["built_packages"]

_SCRIPT = Path(__file__).resolve().parents[2] / "examples/vm/packages/build.sh"


@cache
def built_packages(*formats: str) -> Path:
    """A directory with them: ``deb``, ``rpm``. Envoy is the one that other tests use."""
    out = Path(tempfile.mkdtemp(prefix="vm-packages-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    command = [str(_SCRIPT), *(f"--{name}" for name in formats), "--envoy", str(envoy_binary()), str(out)]
    environ = {**inherited_environment(), "PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return out
