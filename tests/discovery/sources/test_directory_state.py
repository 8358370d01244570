from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.schema.meta import Object
from discovery.sources.directory_state import DirectoryState
from discovery.sources.documents import FileContent, read_documents


def document(name: str, port: int = 80) -> str:
    spec = f"{{ports: [{{port: {port}}}]}}"
    return f"{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {spec}}}"


def file(path: str, *parts: str) -> FileContent:
    return read_documents(path, "\n---\n".join(parts).encode())


class World:
    """Applies what a state says, as the store does."""

    def __init__(self) -> None:
        self.state = DirectoryState()
        self.objects: dict[str, Object] = {}

    def read(self, *contents: FileContent, gone: tuple[str, ...] = ()) -> int:
        changes = self.state.update(contents, gone)
        for key, obj in changes:
            if obj is None:
                del self.objects[key.name]
            else:
                self.objects[key.name] = obj
        return len(changes)

    def ports(self) -> dict[str, tuple[int, str]]:
        return {name: (obj.spec.spec.ports[0].port, obj.origin.path) for name, obj in self.objects.items()}


def test_broken_document_keeps_its_last_good_version() -> None:
    """The object is served as it was until its document can be read again; others of the file move on."""
    world = World()
    world.read(file("a", document("x", 1), document("y", 1)))
    world.read(file("a", document("x", 2), "{apiVersion: v1, kind: Serv"))
    assert world.ports() == {"x": (2, "a"), "y": (1, "a")}
    world.read(file("a", document("x", 2), document("y", 3)))
    assert world.ports() == {"x": (2, "a"), "y": (3, "a")}
    assert world.state.findings() == ()


def test_named_broken_document_keeps_only_itself() -> None:
    """Where all broken documents can be told by name, deleted ones really go."""
    world = World()
    world.read(file("a", document("x", 1), document("y", 1), document("z", 1)))
    world.read(file("a", document("x").replace("80", "http"), document("z", 1)))
    assert set(world.ports()) == {"x", "z"}


def test_last_good_version_goes_with_its_file() -> None:
    """A file that is deleted takes what it kept along."""
    world = World()
    world.read(file("a", document("x")))
    world.read(file("a", "{"))
    assert set(world.ports()) == {"x"}
    world.read(gone=("a",))
    assert world.ports() == {}
    assert world.state.findings() == ()


def test_duplicates_are_findings_and_the_first_counts() -> None:
    """By path, then by line, whatever was read first; when the first goes, the next takes its place."""
    world = World()
    world.read(file("b", document("x", 2), document("x", 3)))
    world.read(file("a", document("x", 1)))
    assert world.ports() == {"x": (1, "a")}
    assert [str(f.origin) for f in world.state.findings()] == ["b:1", "b:3"]
    world.read(gone=("a",))
    assert world.ports() == {"x": (2, "b")}
    assert [str(f.origin) for f in world.state.findings()] == ["b:3"]


def test_an_object_moves_between_files() -> None:
    """Its new file takes over from one that only keeps it."""
    world = World()
    world.read(file("a", document("x", 1)))
    world.read(file("a", "{"), file("b", document("x", 2)))
    assert world.ports() == {"x": (2, "b")}


def test_reading_the_same_again_changes_nothing() -> None:
    """A look that finds nothing new gives no changes."""
    world = World()
    parts = (document("x"), document("y"))
    assert world.read(file("a", *parts)) == 2
    known = world.state.contents["a"]
    assert world.read(read_documents("a", "\n---\n".join(parts).encode(), known)) == 0


PARTS = st.lists(st.builds(document, st.sampled_from("xyz"), st.integers(1, 3)), max_size=3)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | PARTS), max_size=12))
def test_without_broken_files_history_does_not_matter(history: list[tuple[str, list[str] | None]]) -> None:
    """What is served after any history equals what a fresh start over the same files serves."""
    world, files = World(), dict[str, FileContent]()
    for path, parts in history:
        if parts is None:
            world.read(gone=(path,))
            files.pop(path, None)
        else:
            files[path] = read_documents(path, "\n---\n".join(parts).encode(), files.get(path))
            world.read(files[path])
    fresh = World()
    fresh.read(*files.values())
    assert world.objects == fresh.objects
    assert world.state.findings() == fresh.state.findings()
