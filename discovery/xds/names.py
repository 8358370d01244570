"""What a client asks for of one type, as a value that equal clients share.

A thousand sidecars of one namespace subscribe to the same three thousand clusters. Their subscriptions are hash-consed:
equal ones are one object, compared by identity, also after each of them has added the same name.
"""

from __future__ import annotations

from weakref import WeakValueDictionary, ref

__all__ = ["NameSets", "Names"]

_NONE: frozenset[str] = frozenset()


class Names:
    """A subscription: explicit names, and whether everything else is wanted too. Immutable; made by ``NameSets``."""

    __slots__ = ("__weakref__", "explicit", "last_step", "wildcard")

    def __init__(self, explicit: frozenset[str], *, wildcard: bool) -> None:
        self.explicit = explicit
        self.wildcard = wildcard
        # The change that its last holder made to it and what came out: equal clients make equal changes, and so the
        # second of them need not build a set of thousands. Weak: an idle client must not keep a chain of sets alive.
        self.last_step: tuple[frozenset[str], frozenset[str], ref[Names]] | None = None

    def wants(self, name: str) -> bool:
        """Whether a resource of this name is asked for."""
        return self.wildcard or name in self.explicit

    def __repr__(self) -> str:
        return f"Names({sorted(self.explicit)}{' and all others' if self.wildcard else ''})"


class NameSets:
    """Makes subscriptions and keeps equal ones one; forgets those that nobody holds."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[frozenset[str], bool], Names] = WeakValueDictionary()

    def of(self, explicit: frozenset[str], *, wildcard: bool) -> Names:
        """The one subscription with these names."""
        found = self._known.get((explicit, wildcard))
        if found is None:
            found = Names(explicit, wildcard=wildcard)
            self._known[explicit, wildcard] = found
        return found

    def revise(self, names: Names, *, add: frozenset[str] = _NONE, drop: frozenset[str] = _NONE) -> Names:
        """The subscription after names were added and others dropped; the wildcard stays as it is."""
        if names.last_step is not None and names.last_step[0] == add and names.last_step[1] == drop:
            known = names.last_step[2]()
            if known is not None:
                return known
        result = self.of((names.explicit - drop) | add, wildcard=names.wildcard)
        names.last_step = (add, drop, ref(result))
        return result

    def __len__(self) -> int:
        return len(self._known)
