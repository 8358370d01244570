"""The programs of a Kubernetes control plane: taken from `KUBEBUILDER_ASSETS`, else built once with Go.

`setup-envtest` fills such a folder, without a controller manager; what it lacks is built. A build takes minutes and
lands outside the tree, in a folder named by a hash of what it was built from, so a second checkout finds it ready and a
new version does not disturb an old one. The versions are those of the two `go.mod` beside this file.

`python -m tests.kube.programs` makes them and says which versions they are, and where.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["ProgramsError", "find_go", "find_programs", "is_ready", "kubernetes_version", "told_version"]

_MODULES: Final = Path(__file__).parent / "binaries"
_GO_HOME: Final = Path("/usr/local/go/bin/go")  # where Go's own archive unpacks, often not on PATH


class _Build(msgspec.Struct, frozen=True):
    """How one program is made: the module that fixes its version, and its main package."""

    module: str
    package: str


_BUILDS: Final[Mapping[str, _Build]] = {
    "etcd": _Build("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": _Build("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": _Build("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kubectl": _Build("kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
}
_RECIPE: Final = "1"  # raise it when flags of the build change


class ProgramsError(RuntimeError):
    """A program is neither there nor can it be built; the text says which, why, and what to do."""


def find_programs(environ: Mapping[str, str]) -> dict[str, Path]:
    """Every program by its name; the first call on a machine may build for some minutes.

    Raises:
        ProgramsError: there is no Go, or the build fails.
    """
    given = environ.get("KUBEBUILDER_ASSETS", "")
    assets = Path(given) if given else None
    if assets is not None and not (assets / "kube-apiserver").is_file():
        raise ProgramsError(f"KUBEBUILDER_ASSETS={assets}: no kube-apiserver in there; unset it to build one with Go")
    found = {name: assets / name for name in _BUILDS if assets is not None and (assets / name).is_file()}
    lacking = [name for name in _BUILDS if name not in found]
    if lacking:
        folder = _cache(environ)
        _build(folder, lacking, environ)
        found |= {name: folder / name for name in lacking}
    return found


def is_ready(environ: Mapping[str, str]) -> bool:
    """Whether the programs are there without building; what the folder given lacks does not count."""
    given = environ.get("KUBEBUILDER_ASSETS", "")
    if given:
        return (Path(given) / "kube-apiserver").is_file()
    return all((_cache(environ) / name).is_file() for name in _BUILDS)


def find_go(environ: Mapping[str, str]) -> str:
    """The Go command; empty when there is none."""
    return shutil.which("go", path=environ.get("PATH")) or (str(_GO_HOME) if _GO_HOME.is_file() else "")


def kubernetes_version() -> str:
    """The version that a build has, such as `v1.36.3`."""
    text = (_MODULES / "kubernetes" / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"^(?:require|\t) *k8s\.io/kubernetes (v[\w.+-]+)\b", text, re.MULTILINE)
    if found is None:
        raise ProgramsError("tests/kube/binaries/kubernetes/go.mod: it requires no k8s.io/kubernetes")
    return found[1]


def _cache(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/root")) / ".cache"
    digest = hashlib.sha256(_RECIPE.encode())
    for module in sorted(path for path in _MODULES.iterdir() if path.is_dir()):
        for name in ("go.mod", "go.sum"):
            digest.update((module / name).read_bytes())
    return Path(base) / "pilot-mesh" / "kubernetes" / digest.hexdigest()[:16]


def _build(folder: Path, names: list[str], environ: Mapping[str, str]) -> None:
    with _locked(folder):  # of several test runs one builds, the others wait for it
        absent = [name for name in names if not (folder / name).is_file()]
        go = find_go(environ) if absent else ""
        if absent and not go:
            raise ProgramsError(
                f"no {', '.join(absent)}: install Go to build them, or set KUBEBUILDER_ASSETS to a folder that has them"
            )
        for name in absent:
            _build_one(go, folder, name, environ)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_one(go: str, folder: Path, name: str, environ: Mapping[str, str]) -> None:
    build = _BUILDS[name]
    sys.stderr.write(f"building {name} ({build.package}) in {folder}: the first time this takes minutes\n")
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    linked = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamps.items())
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / name
        command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", f"-s -w {linked}", "-o", str(made)]
        env = {**environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        done = subprocess.run(
            [*command, build.package], cwd=_MODULES / build.module, env=env, text=True, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise ProgramsError(f"go build {build.package}, in {_MODULES / build.module}: {done.stderr[-3000:]}")
        made.rename(folder / name)  # whoever sees it sees all of it


def told_version(program: Path) -> str:
    """What a program says of its version, in one line."""
    asked = ["version", "--client"] if program.name == "kubectl" else ["--version"]
    done = subprocess.run([str(program), *asked], text=True, capture_output=True, timeout=30, check=True)
    return done.stdout.splitlines()[0]


if __name__ == "__main__":
    for program_name, program_path in sorted(find_programs(os.environ).items()):  # noqa: TID251 - a command's own
        sys.stdout.write(f"{program_name}: {told_version(program_path)}, {program_path}\n")
