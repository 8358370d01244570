"""What the images promise, read off their Dockerfiles: pinned, not root, nothing copied that is not there."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).resolve().parents[2]
_IMAGES: Final = {"discovery": "pilot-discovery", "agent": "pilot-agent"}


def _instructions(image: str) -> list[tuple[str, str]]:
    text = (_ROOT / image / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


@pytest.mark.parametrize("image", _IMAGES)
def test_base_is_pinned_and_one(image: str) -> None:
    """Both stages stand on the same base, of one version, so that libraries fit and builds repeat."""
    instructions = _instructions(image)
    ((_, base),) = [entry for entry in instructions if entry[0] == "ARG"]
    tag = base.rpartition(":")[2]
    assert any(c.isdigit() for c in tag)
    assert "latest" not in tag
    assert {argument.partition(" AS ")[0] for name, argument in instructions if name == "FROM"} == {"${BASE}"}


@pytest.mark.parametrize("image", _IMAGES)
def test_runs_as_nobody_important(image: str) -> None:
    """The last user is the proxy's number: `runAsNonRoot` can only be checked by the kubelet where it is a number."""
    assert [argument for name, argument in _instructions(image) if name == "USER"] == ["1337:1337"]


@pytest.mark.parametrize("image", _IMAGES)
def test_what_is_copied_exists_and_is_let_through(image: str) -> None:
    """The build context holds only what the image needs, and all of it."""
    allowed = (_ROOT / image / "Dockerfile.dockerignore").read_text().split()
    sources = [
        source
        for name, argument in _instructions(image)
        if name == "COPY" and not argument.startswith("--from")
        for source in argument.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (_ROOT / source).exists()
        assert {f"!{source}", f"!{source}/**"} & set(allowed)


@pytest.mark.parametrize(("image", "program"), _IMAGES.items())
def test_starts_the_program(image: str, program: str) -> None:
    """The entry point is the console script, so that arguments of manifests go straight to it."""
    scripts = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert program in scripts
    ((_, entry),) = [i for i in _instructions(image) if i[0] == "ENTRYPOINT"]
    assert Path(json.loads(entry)[0]).name == program
