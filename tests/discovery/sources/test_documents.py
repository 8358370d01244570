from __future__ import annotations

import pytest

from discovery.schema.meta import Kind
from discovery.sources import documents
from discovery.sources.documents import read_documents, unreadable_file

ONE = "apiVersion: v1\nkind: Service\nmetadata: {name: one}\n"
TWO = "apiVersion: v1\nkind: Service\nmetadata: {name: two}\n"
BROKEN = "apiVersion: v1\nkind: Service\nmetadata: {name: three\n"


def test_objects_remember_file_and_line() -> None:
    """The line is that of the first line with content of the document."""
    content = read_documents("a.yaml", f"# head\n{ONE}---\n\n{TWO}".encode())
    assert [str(obj.origin) for document in content.documents for obj in document.objects] == ["a.yaml:2", "a.yaml:7"]


def test_only_new_texts_are_decoded() -> None:
    """A document that moved keeps its object, at its new line."""
    before = read_documents("a.yaml", f"{ONE}---\n{TWO}".encode())
    after = read_documents("a.yaml", f"# comment\n{ONE}---\n{TWO}".replace("one", "uno").encode(), before)
    assert (before.decoded, after.decoded) == (2, 1)
    old, new = before.documents[1].objects[0], after.documents[1].objects[0]
    assert new.spec is old.spec
    assert (old.origin.line, new.origin.line) == (5, 6)


def test_a_broken_document_does_not_take_others_along() -> None:
    """The finding names file and line; the documents around it are read."""
    content = read_documents("a.yaml", f"{ONE}---\n{BROKEN}---\n{TWO}".encode())
    names = [obj.name for document in content.documents for obj in document.objects]
    assert names == ["one", "two"]
    assert content.partly_unreadable
    (finding,) = content.documents[1].findings
    assert str(finding).startswith("a.yaml:7: no valid YAML: ")  # the brace is missed where the text ends


def test_findings_move_with_their_document() -> None:
    """A known broken document that moves reports its new line."""
    before = read_documents("a.yaml", BROKEN.encode())
    after = read_documents("a.yaml", f"{ONE}---\n{BROKEN}".encode(), before)
    moved = after.documents[1].findings[0].origin.line - before.documents[0].findings[0].origin.line
    assert moved == 4


def test_broken_object_with_a_name_is_told_by_name() -> None:
    """A type error in a field does not make the rest of the file doubtful."""
    content = read_documents("a.yaml", f"{ONE}spec: {{ports: 80}}\n".encode())
    assert [key.kind for key in content.documents[0].broken] == [Kind.SERVICE]
    assert not content.partly_unreadable


def test_document_without_identity_makes_the_file_doubtful() -> None:
    """A truncated document may be about any object of the file."""
    assert read_documents("a.yaml", b"apiVersion: v1\n").partly_unreadable
    assert not read_documents(
        "a.yaml", b"{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}"
    ).partly_unreadable


def test_bytes_that_are_no_text_are_a_finding_with_line() -> None:
    """A file in another encoding is reported where it begins to be one."""
    content = read_documents("a.yaml", ONE.encode() + b"# caf\xe9\n")
    assert content.unreadable
    assert str(content.findings[0]).startswith("a.yaml:4: want UTF-8, got the byte 0xe9")


def test_byte_order_mark_and_windows_lines_are_read() -> None:
    """Editors elsewhere write them."""
    data = b"\xef\xbb\xbf" + f"{ONE}---\n{TWO}".replace("\n", "\r\n").encode()
    assert len(read_documents("a.yaml", data).documents) == 2


def test_large_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard, told as such."""
    monkeypatch.setattr(documents, "MAX_FILE_BYTES", 10)
    assert "want at most 10" in read_documents("a.yaml", ONE.encode()).findings[0].problem


def test_unreadable_file_is_a_finding() -> None:
    """Permission denied is told and keeps what was known."""
    assert unreadable_file("a.yaml", "denied").unreadable
