"""Clean machines: the root of a minimal Debian, made once by debootstrap, and a layer over it for each test."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["CleanRoot", "clean_root", "why_no_roots"]

# The release whose Python is the one that we run on: packages hold libraries for that.
_SUITES: Final[Mapping[int, str]] = {11: "bookworm", 13: "trixie"}
_INCLUDED: Final = "python3,iptables,nftables,iproute2,procps,hostname,curl"
_MIRROR: Final = "http://deb.debian.org/debian"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def why_no_roots() -> str:
    """Why no clean root can be made here; empty when one can."""
    if not shutil.which("debootstrap"):
        return "no debootstrap: run .ci/prepare"
    if sys.version_info.minor not in _SUITES:
        return f"no Debian release known with Python 3.{sys.version_info.minor}"
    return ""


class CleanRoot(msgspec.Struct, frozen=True):
    """The root of a machine's file system."""

    path: Path

    def argv(self, *command: str, user: str = "root", namespace: str = "") -> tuple[str, ...]:
        """The command, run in it as that user (``name`` or ``uid:gid``), in a network namespace if one is given."""
        entered = ("ip", "netns", "exec", namespace) if namespace else ()
        return (
            *entered,
            "chroot",
            f"--userspec={user}",
            str(self.path),
            "/usr/bin/env",
            "-i",
            f"PATH={_PATH}",
            *command,
        )

    def run(self, *command: str, user: str = "root", namespace: str = "") -> str:
        """What a program says that must succeed."""
        argv = self.argv(*command, user=user, namespace=namespace)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def file(self, path: str) -> Path:
        """A file in it, by its absolute path there; one behind an absolute link would be ours, and is refused."""
        assert not path.startswith("/var/run/"), f"{path}: /var/run is a link to /run; write to that"
        return self.path / path.lstrip("/")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Put a file there."""
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)


def _base() -> Path:
    """The minimal system, made if it is not there yet; of several test runs one makes it, the others wait."""
    environ = os.environ  # noqa: TID251 - a setting of the test session
    suite = _SUITES[sys.version_info.minor]
    cache = Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/root")) / ".cache") / "pilot-mesh/roots"
    cache.mkdir(parents=True, exist_ok=True)
    base, made = cache / suite, cache / f"{suite}.made"
    with (cache / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists() and made.read_text() == _INCLUDED:
            return base
        shutil.rmtree(base, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", suite, str(base), _MIRROR]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        made.write_text(_INCLUDED)
    return base


@contextmanager
def clean_root(directory: Path) -> Iterator[CleanRoot]:
    """A system that nobody has used; it is gone when the context ends. ``directory``: where what is written goes."""
    layers = f"lowerdir={_base()},upperdir={directory / 'upper'},workdir={directory / 'work'}"
    root = directory / "root"
    for place in ("upper", "work", "root"):
        (directory / place).mkdir(parents=True)
    with ExitStack() as mounted:
        _mount(mounted, root, "-t", "overlay", "-o", layers, "overlay")
        _mount(mounted, root / "proc", "-t", "proc", "proc")
        _mount(mounted, root / "dev", "--rbind", "--make-rslave", "/dev")
        yield CleanRoot(root)


def _mount(mounted: ExitStack, place: Path, *what: str) -> None:
    subprocess.run(["mount", *what, str(place)], check=True, timeout=30)
    mounted.callback(subprocess.run, ["umount", "--recursive", "--lazy", str(place)], check=False, timeout=30)
