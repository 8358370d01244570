"""A file's bytes to documents: cut, hashed, and only those decoded again whose text is new. Pure, so it may run in a
thread; the results are immutable."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from discovery.schema.decode import decode
from discovery.schema.findings import Finding, has_errors
from discovery.schema.meta import Object, ObjectKey, Origin
from discovery.schema.yaml_text import Piece, YamlError, parse_yaml, split_documents
from discovery.validation.loading import accepted

__all__ = ["LAST_GOOD", "MAX_FILE_BYTES", "Document", "FileContent", "read_documents", "unreadable_file"]

MAX_FILE_BYTES = 64 << 20  # a guard against pointing at the wrong directory, not a limit that anybody should meet

LAST_GOOD = "the last good version is kept"
"""A hint of those who serve what they read."""

_SOURCE = "directory"


class Document(msgspec.Struct, frozen=True):
    """One YAML document of a file, decoded."""

    digest: bytes
    line: int  # at which its text begins
    objects: tuple[Object, ...] = ()
    findings: tuple[Finding, ...] = ()
    broken: tuple[ObjectKey, ...] = ()  # objects that it names but that cannot be read, or break a rule
    unreadable: bool = False  # it is no YAML, so it may be about any object


class FileContent(msgspec.Struct, frozen=True):
    """A file as it was read last."""

    path: str
    documents: tuple[Document, ...] = ()
    findings: tuple[Finding, ...] = ()  # about the file as a whole
    unreadable: bool = False  # nothing is known of what it holds now
    decoded: int = 0  # how many documents were not known from before

    @property
    def partly_unreadable(self) -> bool:
        """Whether the file may be about objects that could not be found in it."""
        return self.unreadable or any(document.unreadable for document in self.documents)


def read_documents(path: str, data: bytes, known: FileContent | None = None) -> FileContent:
    """The documents of a file; those whose text ``known`` (its content before) has too are taken over from there."""
    if len(data) > MAX_FILE_BYTES:
        return _unreadable(path, 1, f"the file has {len(data)} bytes, want at most {MAX_FILE_BYTES}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unreadable(path, line, f"want UTF-8, got the byte 0x{data[error.start]:02x}", "save the file as UTF-8")
    before = {document.digest: document for document in known.documents} if known else {}
    documents: list[Document] = []
    decoded = 0
    for piece in split_documents(text):
        digest = blake2b(piece.text.encode(), digest_size=16).digest()
        document = before.get(digest)
        if document is None:
            decoded += 1
            document = _decode_document(path, piece, digest)
        documents.append(_at_line(document, path, piece.line))
    return FileContent(path, tuple(documents), decoded=decoded)


def unreadable_file(path: str, reason: str) -> FileContent:
    """A file that is there but cannot be read."""
    return _unreadable(path, 1, reason)


def _decode_document(path: str, piece: Piece, digest: bytes = b"") -> Document:
    """One document of a file."""
    origin = Origin(_SOURCE, path, piece.line)
    try:
        value = parse_yaml(piece.text)
    except YamlError as error:
        where = Origin(_SOURCE, path, piece.line + error.line - 1)
        finding = Finding("", "", f"no valid YAML: {error.problem}", LAST_GOOD, origin=where)
        return Document(digest, piece.line, findings=(finding,), unreadable=True)
    result = accepted(decode(value, origin=origin))
    unnamed = has_errors(result.findings) and not result.objects and not result.broken
    return Document(digest, piece.line, result.objects, result.findings, result.broken, unreadable=unnamed)


def _at_line(document: Document, path: str, line: int) -> Document:
    """The same document, moved within its file."""
    if document.line == line:
        return document
    shift = line - document.line

    def moved(origin: Origin) -> Origin:
        return Origin(_SOURCE, path, origin.line + shift)

    replace = msgspec.structs.replace
    return replace(
        document,
        line=line,
        objects=tuple(replace(obj, origin=moved(obj.origin)) for obj in document.objects),
        findings=tuple(replace(finding, origin=moved(finding.origin)) for finding in document.findings),
    )


def _unreadable(path: str, line: int, problem: str, hint: str = "") -> FileContent:
    hint = "; ".join(part for part in (hint, LAST_GOOD) if part)
    finding = Finding("", "", problem, hint, origin=Origin(_SOURCE, path, line))
    return FileContent(path, findings=(finding,), unreadable=True)
