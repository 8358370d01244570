from __future__ import annotations

import os
from pathlib import Path

from discovery.sources.scan import Known, Scan, scan

TEXT = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"


def known(looked: Scan) -> Known:
    return Known(looked.signatures, {content.path: content for content in looked.read})


def paths(looked: Scan) -> list[str]:
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
