"""Where the programs of a control plane come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kube.programs import ProgramsError, find_go, find_programs, is_ready, kubernetes_version, told_version


def executable(path: Path) -> Path:
    """A file that could be a program."""
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")


def test_a_folder_that_is_given_is_used(tmp_path: Path) -> None:
    """Nothing is built where everything is there."""
    wanted = {name: executable(tmp_path / name) for name in NAMES}
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path), "PATH": ""}
    assert is_ready(environ)
    assert find_programs(environ) == wanted


def test_a_folder_without_a_server_is_a_mistake(tmp_path: Path) -> None:
    """A wrong setting is told, and not worked around by a build."""
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path)}
    assert not is_ready(environ)
    with pytest.raises(ProgramsError, match="no kube-apiserver in there"):
        find_programs(environ)


def test_a_build_ends_as_programs_in_the_cache(tmp_path: Path) -> None:
    """One `go build` per program, stamped with the version, outside the tree; later there is nothing to do."""
    tools, cache = tmp_path / "tools", tmp_path / "cache"
    tools.mkdir()
    go = executable(tools / "go")
    go.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nwhile [ "$1" != -o ]; do shift; done; echo made > "$2"\n',
        encoding="utf-8",
    )
    environ = {"PATH": f"{tools}:{os.defpath}", "XDG_CACHE_HOME": str(cache)}
    assert find_go(environ) == str(go)
    assert not is_ready(environ)
    found = find_programs(environ)
    assert find_programs(environ) == found
    assert is_ready(environ)
    assert {path.name for path in found.values()} == set(NAMES)
    assert all(path.read_text(encoding="utf-8") == "made\n" and cache in path.parents for path in found.values())
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert len(calls) == len(NAMES)
    assert all(f"gitVersion={kubernetes_version()}" in call for call in calls)


def test_a_failed_build_tells_why(tmp_path: Path) -> None:
    """What Go said is in the error, and nothing half made is left."""
    go = executable(tmp_path / "go")
    go.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n", encoding="utf-8")
    environ = {"PATH": f"{tmp_path}:{os.defpath}", "XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(ProgramsError, match="no such module"):
        find_programs(environ)
    assert not is_ready(environ)


@pytest.mark.parametrize("name", ["kube-apiserver", "kubectl"])
def test_a_program_tells_its_version(tmp_path: Path, name: str) -> None:
    """Also one that was not built here; kubectl alone has a command for it."""
    program = tmp_path / name
    wanted = "version --client" if name == "kubectl" else "--version"
    program.write_text(f'#!/bin/sh\n[ "$*" = "{wanted}" ] && echo "Kubernetes v1.2.3" && echo more\n')
    program.chmod(0o755)
    assert told_version(program) == "Kubernetes v1.2.3"
