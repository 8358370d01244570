"""Changes of files, however they are made, are noticed; nothing else is."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.sds import watch as module
from agent.sds.metrics import SecretMetrics
from agent.sds.watch import FileWatcher, watched_directories


class Seen:
    """Collects announcements."""

    def __init__(self) -> None:
        self.paths: asyncio.Queue[Path] = asyncio.Queue()

    async def next(self) -> Path:
        async with asyncio.timeout(5):
            return await self.paths.get()


@pytest.fixture
async def seen() -> Seen:
    return Seen()


@pytest.fixture
async def metrics() -> SecretMetrics:
    return SecretMetrics()


@pytest.fixture
async def watcher(seen: Seen, metrics: SecretMetrics) -> AsyncIterator[FileWatcher]:
    watcher = FileWatcher(seen.paths.put_nowait, metrics)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run())
        yield watcher
        task.cancel()


def replace(path: Path, data: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(data)
    new.replace(path)


def remove_and_create(path: Path, data: str) -> None:
    path.unlink()
    path.write_text(data)


@pytest.mark.parametrize("change", [Path.write_text, replace, remove_and_create])
async def test_every_way_of_writing_counts_again_and_again(
    watcher: FileWatcher, seen: Seen, tmp_path: Path, change: Callable[[Path, str], None]
) -> None:
    """In place, by rename, by an editor: each is told, the second time as well as the first."""
    path = tmp_path / "cert.pem"
    path.write_text("0")
    watcher.add(path)
    for data in ("one", "three", "fifteen"):
        change(path, data)
        assert await seen.next() == path
        while not seen.paths.empty():  # removal and creation may be told apart
            await seen.next()


async def test_kubelet_swap_is_noticed(watcher: FileWatcher, seen: Seen, tmp_path: Path) -> None:
    """The mount of a Secret changes by swapping ``..data``: told for each swap, although no file is written."""

    def publish(version: str) -> None:
        directory = tmp_path / f"..{version}"
        directory.mkdir()
        (directory / "cert.pem").write_text(version)
        (tmp_path / "..data_tmp").symlink_to(directory.name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    publish("v1")
    path = tmp_path / "cert.pem"
    path.symlink_to("..data/cert.pem")
    watcher.add(path)
    for version in ("v2-", "v3--"):
        publish(version)
        assert await seen.next() == path
        assert path.read_text() == version


async def test_other_files_of_the_directory_do_not_count(watcher: FileWatcher, seen: Seen, tmp_path: Path) -> None:
    """An event in the directory only says: look again."""
    path, other = tmp_path / "cert.pem", tmp_path / "other"
    path.write_text("0")
    watcher.add(path)
    other.write_text("noise")
    path.write_text("change")
    assert await seen.next() == path
    assert seen.paths.empty()


async def test_file_that_appears_with_its_directory(watcher: FileWatcher, seen: Seen, tmp_path: Path) -> None:
    """A file may be watched before its directory exists."""
    path = tmp_path / "later" / "deep" / "cert.pem"
    watcher.add(path)
    path.parent.mkdir(parents=True)
    path.write_text("here")
    assert await seen.next() == path


async def test_replaced_directory_is_followed(watcher: FileWatcher, seen: Seen, tmp_path: Path) -> None:
    """A directory that is moved away and made anew is watched anew."""
    path = tmp_path / "certs" / "cert.pem"
    path.parent.mkdir()
    path.write_text("0")
    watcher.add(path)
    path.parent.rename(tmp_path / "old")
    assert await seen.next() == path
    path.parent.mkdir()
    path.write_text("new")
    assert await seen.next() == path


async def test_removed_file_is_silent(watcher: FileWatcher, seen: Seen, tmp_path: Path) -> None:
    """After its removal a file is not told any more."""
    first, second = tmp_path / "a", tmp_path / "b"
    watcher.add(first)
    watcher.add(second)
    watcher.remove(first)
    assert watcher.files == {second}
    first.write_text("x")
    second.write_text("x")
    assert await seen.next() == second


async def test_without_inotify_it_looks_from_time_to_time(
    watcher: FileWatcher, seen: Seen, metrics: SecretMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel refuses, files are looked at periodically, once is told, and the failure counted."""

    def refuse(*_args: object, **_kwargs: object) -> object:
        raise OSError("too many watches")

    monkeypatch.setattr(module, "RETRY_S", 0.01)
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    path = tmp_path / "cert.pem"
    watcher.add(path)
    path.write_text("x")
    assert await seen.next() == path
    path.write_text("xx")
    assert await seen.next() == path
    assert metrics.watch_failures.count() == 1


def test_directories_of_a_link(tmp_path: Path) -> None:
    """Each link's directory and that of the file itself; of a missing path, the last directory there is."""
    real, links = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    links.mkdir()
    (real / "file").write_text("x")
    (links / "file").symlink_to("../real/file")
    assert watched_directories(links / "file") == {os.fspath(links), os.fspath(real)}
    assert watched_directories(tmp_path / "none" / "file") == {os.fspath(tmp_path)}
    assert watched_directories(real / "file" / "below") <= {os.fspath(real), os.fspath(real / "file")}


def test_circle_of_links_ends(tmp_path: Path) -> None:
    """Links that lead to themselves are given up, as the kernel does."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert watched_directories(tmp_path / "a") == {os.fspath(tmp_path)}
