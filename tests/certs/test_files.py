from __future__ import annotations

from pathlib import Path

import pytest

from certs.files import FileMode, create_private, write_atomically, write_if_changed


@pytest.mark.parametrize("mode", list(FileMode))
def test_mode_is_as_asked_even_when_replacing(tmp_path: Path, mode: FileMode) -> None:
    """The new file's mode does not depend on the old one's."""
    path = tmp_path / "key.pem"
    path.write_bytes(b"old")
    path.chmod(0o666)
    write_atomically(path, b"new", mode=mode)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A write that cannot finish changes nothing; here the target is a directory."""
    path = tmp_path / "key.pem"
    path.mkdir()
    with pytest.raises(OSError, match=r"key\.pem"):
        write_atomically(path, b"new", mode=FileMode.PRIVATE)
    assert [item.name for item in tmp_path.iterdir()] == ["key.pem"]


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    """Watchers are woken only by a change of content or mode."""
    path = tmp_path / "root-cert.pem"
    assert write_if_changed(path, b"one", mode=FileMode.PUBLIC)
    inode = path.stat().st_ino
    assert not write_if_changed(path, b"one", mode=FileMode.PUBLIC)
    assert path.stat().st_ino == inode
    assert write_if_changed(path, b"two", mode=FileMode.PUBLIC)
    assert write_if_changed(path, b"two", mode=FileMode.PRIVATE)


def test_first_maker_wins(tmp_path: Path) -> None:
    """A private file that exists is never replaced by a second maker, and no temporary file stays."""
    path = tmp_path / "key.pem"
    assert create_private(path, b"first")
    assert not create_private(path, b"second")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == FileMode.PRIVATE
    assert [item.name for item in tmp_path.iterdir()] == ["key.pem"]
