from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from discovery.engine import Database
from discovery.sources.directory import ConfigDirectoryError, DirectorySource
from discovery.store.state import Store
from tests.kit.source_contract import AtOnce, Changed, SourceContract, SourceWorld, running, virtual_service


class DirectoryWorld:
    """Files in a directory, written in place."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def source(self, store: Store) -> DirectorySource:
        return DirectorySource(self.root, store.apply)

    def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        (self.root / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))

    def delete(self, name: str) -> None:
        (self.root / f"{name}.yaml").unlink()


class RenamingWorld(DirectoryWorld):
    """Files written beside and moved into place, as careful tools do."""

    def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        beside = self.root / f".{name}.tmp"
        beside.write_text(yaml.safe_dump_all(documents))
        beside.replace(self.root / f"{name}.yaml")


class MountWorld(DirectoryWorld):
    """A ConfigMap volume: files are links through ``..data``, which is swapped as a whole."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._files: dict[str, str] = {}
        self._generation = 0
        self._swap()

    def _swap(self) -> None:
        self._generation += 1
        fresh = self.root / f"..{self._generation}"
        fresh.mkdir()
        for name, text in self._files.items():
            (fresh / name).write_text(text)
        (self.root / "..data_tmp").symlink_to(fresh.name)
        (self.root / "..data_tmp").replace(self.root / "..data")
        for name in self._files:
            if not (self.root / name).is_symlink():
                (self.root / name).symlink_to(f"..data/{name}")
        for link in self.root.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()
        old = self.root / f"..{self._generation - 1}"
        for file in old.iterdir() if old.exists() else ():
            file.unlink()
        if old.exists():
            old.rmdir()

    def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        self._files[f"{name}.yaml"] = yaml.safe_dump_all(documents)
        self._swap()

    def delete(self, name: str) -> None:
        del self._files[f"{name}.yaml"]
        self._swap()


class TestInPlace(SourceContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> SourceWorld:
        return AtOnce(DirectoryWorld(tmp_path))


class TestRename(SourceContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> SourceWorld:
        return AtOnce(RenamingWorld(tmp_path))


class TestMount(SourceContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> SourceWorld:
        return AtOnce(MountWorld(tmp_path))


async def test_directory_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    """A typo in a flag is told at once, not served as an empty mesh."""
    with pytest.raises(ConfigDirectoryError, match="does not exist"):
        async with DirectorySource(tmp_path / "typo", Store(Database()).apply):
            pass
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigDirectoryError, match="is no directory"):
        async with DirectorySource(tmp_path / "file", Store(Database()).apply):
            pass


async def test_broken_file_is_reported_and_keeps_serving(tmp_path: Path) -> None:
    """File and line are in the finding; repaired, the finding goes and the object moves on."""
    world = DirectoryWorld(tmp_path)
    world.write("a", virtual_service("one", "h1"))
    changed = Changed(Store(Database()))
    source = world.source(changed.store)
    async with running(source):
        (tmp_path / "a.yaml").write_text("kind: [VirtualService\n")
        world.write("b", virtual_service("two", "h2"))
        await changed.until(lambda: changed.hosts("two") == ("h2",))
        assert changed.hosts("one") == ("h1",)
        (finding,) = source.findings
        assert (finding.origin.path, finding.origin.line) == (str(tmp_path / "a.yaml"), 1)
        world.write("a", virtual_service("one", "h3"))
        await changed.until(lambda: changed.hosts("one") == ("h3",))
    assert source.findings == ()


async def test_directory_deleted_and_made_again(tmp_path: Path) -> None:
    """Nothing is taken away while it is gone, and it is followed again when it is back."""
    root = tmp_path / "conf"
    root.mkdir()
    world = DirectoryWorld(root)
    world.write("a", virtual_service("one", "h1"))
    changed = Changed(Store(Database()))
    async with running(world.source(changed.store)):
        world.delete("a")
        root.rmdir()
        root.mkdir()
        world.write("b", virtual_service("two", "h2"))
        await changed.until(lambda: changed.hosts("two") == ("h2",))
        world.write("c", virtual_service("three", "h3"))
        await changed.until(lambda: changed.hosts("three") == ("h3",))


async def test_new_folders_are_followed(tmp_path: Path) -> None:
    """A folder made after the start is read, and watched from then on."""
    changed = Changed(Store(Database()))
    async with running(DirectorySource(tmp_path, changed.store.apply)):
        (tmp_path / "x" / "y").mkdir(parents=True)
        world = DirectoryWorld(tmp_path / "x" / "y")
        world.write("a", virtual_service("one", "h1"))
        await changed.until(lambda: changed.hosts("one") == ("h1",))
        world.write("a", virtual_service("one", "h2"))
        await changed.until(lambda: changed.hosts("one") == ("h2",))


async def test_replaced_link_to_the_directory_is_followed(tmp_path: Path) -> None:
    """``ln -sfn release-2 current`` is how files are deployed."""
    for name in ("r1", "r2"):
        (tmp_path / name).mkdir()
        DirectoryWorld(tmp_path / name).write("a", virtual_service("one", name))
    current = tmp_path / "current"
    current.symlink_to("r1")
    changed = Changed(Store(Database()))
    async with running(DirectorySource(current, changed.store.apply)):
        (tmp_path / "next").symlink_to("r2")
        os.replace(tmp_path / "next", current)
        await changed.until(lambda: changed.hosts("one") == ("r2",))


async def test_only_the_edited_document_of_a_large_file_is_committed(tmp_path: Path) -> None:
    """One edit among 500 documents, which moves all that follow, is one changed object; lines stay right."""
    documents = [virtual_service(f"vs-{number}", "h") for number in range(500)]
    world = DirectoryWorld(tmp_path)
    world.write("big", *documents)
    changed = Changed(Store(Database()))
    async with running(world.source(changed.store)):
        documents[3] = virtual_service("vs-3", "other", "more", "hosts")
        world.write("big", *documents)
        await changed.until(lambda: changed.hosts("vs-3") == ("other", "more", "hosts"))
        assert len(changed.commits[-1].commit.changed) == 1
        text = (tmp_path / "big.yaml").read_text().split("\n")
        for obj in changed.store.objects.values():
            assert f"name: {obj.name}" in "\n".join(text[obj.origin.line - 1 : obj.origin.line + 4])


async def test_a_look_at_one_file_touches_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of an edit does not grow with the number of files: none but the named one is asked for its status."""
    world = DirectoryWorld(tmp_path)
    for number in range(10):
        world.write(f"f{number}", virtual_service(f"vs-{number}", "h"))
    changed = Changed(Store(Database()))
    async with world.source(changed.store) as source:
        world.write("f3", virtual_service("vs-3", "other"))
        world.write("f4", virtual_service("vs-4", "other"))
        monkeypatch.setattr(os, "scandir", lambda path: pytest.fail(f"{path} was listed"))
        await source.look(frozenset({str(tmp_path / "f3.yaml")}))
        assert (changed.hosts("vs-3"), changed.hosts("vs-4")) == (("other",), ("h",))
        world.delete("f3")
        await source.look(frozenset({str(tmp_path / "f3.yaml")}))
        assert changed.hosts("vs-3") is None
        monkeypatch.undo()
        await source.look()
        assert changed.hosts("vs-4") == ("other",)
