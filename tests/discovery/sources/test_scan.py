from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.sources.scan import Glance, Known, Scan, glance, scan

TEXT = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"


def known(looked: Scan) -> Known:
    return Known(looked.signatures, {content.path: content for content in looked.read})


def glanced(last: Scan, *hinted: Path) -> Glance | None:
    return glance(last, known(last).contents, [str(path) for path in hinted])


def paths(looked: Scan | Glance) -> list[str]:
    return [os.path.basename(content.path) for content in looked.read]


def test_yaml_files_below_are_read_and_nothing_else(tmp_path: Path) -> None:
    """Both suffixes, at any depth; hidden files, other suffixes, pipes and dangling links are not looked at."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in ("a.yaml", "b.yml", "c.txt", ".d.yaml", "e.yaml~", "deep/er/f.yaml", ".hidden/g.yaml"):
        (tmp_path / name).write_text(TEXT)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "dir.yaml").mkdir()
    assert paths(scan(str(tmp_path), Known())) == ["a.yaml", "b.yml", "f.yaml"]


def test_unchanged_files_are_not_read_again_unless_hinted(tmp_path: Path) -> None:
    """The file status decides; an event can insist."""
    (tmp_path / "a.yaml").write_text(TEXT)
    first = scan(str(tmp_path), Known())
    assert paths(scan(str(tmp_path), known(first))) == []
    assert paths(scan(str(tmp_path), known(first), frozenset({str(tmp_path / "a.yaml")}))) == ["a.yaml"]
    (tmp_path / "a.yaml").write_text(TEXT + "# more\n")
    assert paths(scan(str(tmp_path), known(first))) == ["a.yaml"]


def test_gone_files_are_told(tmp_path: Path) -> None:
    """A file that was there and is not any more."""
    path = tmp_path / "a.yaml"
    path.write_text(TEXT)
    first = scan(str(tmp_path), Known())
    path.unlink()
    assert scan(str(tmp_path), known(first)).gone == (str(path),)


def test_a_missing_directory_takes_nothing_away(tmp_path: Path) -> None:
    """Its files stay as known, its parent is watched for its return, and a finding says so."""
    root = tmp_path / "conf"
    root.mkdir()
    (root / "a.yaml").write_text(TEXT)
    first = scan(str(root), Known())
    (root / "a.yaml").unlink()
    root.rmdir()
    looked = scan(str(root), known(first))
    assert (looked.gone, looked.read) == ((), ())
    assert looked.signatures == first.signatures
    assert [directory.path for directory in looked.directories] == [str(tmp_path)]
    assert "cannot be read" in looked.findings[0].problem


def test_links_are_followed_once(tmp_path: Path) -> None:
    """A link back up does not send the walk in circles; the directory of a linked file is watched too."""
    root, other = tmp_path / "conf", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "loop").symlink_to(root)
    (other / "real.yaml").write_text(TEXT)
    (root / "a.yaml").symlink_to(other / "real.yaml")
    looked = scan(str(root), Known())
    assert paths(looked) == ["a.yaml"]
    assert str(other) in {directory.path for directory in looked.directories}


def test_emptied_file_keeps_what_it_had(tmp_path: Path) -> None:
    """Truncation is how a full disk or an editor in mid-write looks; an empty new file is just empty."""
    path = tmp_path / "a.yaml"
    path.write_text(TEXT)
    first = scan(str(tmp_path), Known())
    path.write_text("")
    (tmp_path / "new.yaml").write_text("")
    emptied, new = scan(str(tmp_path), known(first)).read
    assert emptied.unreadable
    assert not new.unreadable


def test_a_glance_reads_the_named_files_only(tmp_path: Path) -> None:
    """New, changed and gone ones; hidden files, other suffixes and files that never were are nothing."""
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        (tmp_path / name).write_text(TEXT)
    first = scan(str(tmp_path), Known())
    for name in ("a.yaml", "b.yaml", "new.yaml", ".hidden.yaml", "text.txt"):
        (tmp_path / name).write_text(TEXT + "# more\n")
    (tmp_path / "c.yaml").unlink()
    names = ("a.yaml", "c.yaml", "new.yaml", ".hidden.yaml", "text.txt", "never.yaml")
    found = glanced(first, *(tmp_path / name for name in names))
    assert found is not None
    assert (paths(found), found.gone) == (["a.yaml", "new.yaml"], (str(tmp_path / "c.yaml"),))
    assert found.signatures.keys() == {str(tmp_path / "a.yaml"), str(tmp_path / "new.yaml")}


def test_a_glance_keeps_paths_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are absolute; a file has one name all the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.yaml").write_text(TEXT)
    first = scan("conf", Known())
    found = glanced(first, tmp_path / "conf" / "a.yaml")
    assert found is not None
    assert found.signatures == first.signatures


def _new_folder(root: Path) -> Path:
    (root / "new").mkdir()
    return root / "new"


def _lost_folder(root: Path) -> Path:
    (root / "deep").rename(root.parent / "lost")
    return root / "deep"


def _replaced_folder(root: Path) -> Path:
    (root / "deep").rename(root.parent / "lost")
    (root / "deep").mkdir()
    (root / "deep" / "a.yaml").write_text(TEXT)
    return root / "deep" / "a.yaml"


def _new_link(root: Path) -> Path:
    (root / "link.yaml").symlink_to(root / "a.yaml")
    return root / "link.yaml"


def _outside(root: Path) -> Path:
    return root.parent


@pytest.mark.parametrize("edit", [_new_folder, _lost_folder, _replaced_folder, _new_link, _outside])
def test_doubt_asks_for_a_scan(tmp_path: Path, edit: Callable[[Path], Path]) -> None:
    """Directories that come, go or are replaced, links, and names elsewhere: more than the named file may differ."""
    root = tmp_path / "conf"
    (root / "deep").mkdir(parents=True)
    first = scan(str(root), Known())
    assert glanced(first, edit(root)) is None


def test_links_leave_nothing_to_a_glance(tmp_path: Path) -> None:
    """One file may have several names, and only one of them is in an event."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "real.yaml").write_text(TEXT)
    (tmp_path / "link.yaml").symlink_to(tmp_path / "deep" / "real.yaml")
    first = scan(str(tmp_path), Known())
    assert glanced(first, tmp_path / "deep" / "real.yaml") is None


def test_many_paths_are_left_to_a_scan(tmp_path: Path) -> None:
    """A burst is when the kernel drops events."""
    first = scan(str(tmp_path), Known())
    assert glanced(first, *(tmp_path / f"{number}.yaml" for number in range(1000))) is None
