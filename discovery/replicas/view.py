"""What the leader has asked one other replica, and what that has said. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from discovery.replicas.messages import Ask, Forget, Question, Told, key_of, name_of
from discovery.schema.meta import ObjectKey
from discovery.store.delivery import NOT_YET, Delivery

__all__ = ["ReplicaView"]


class _Asked(msgspec.Struct):
    generation: int
    said: Delivery = NOT_YET


class ReplicaView:
    """Questions are put into an outbox, which whoever keeps the stream empties."""

    def __init__(self) -> None:
        self._asked: dict[ObjectKey, _Asked] = {}
        self._outbox: list[Question] = []

    @property
    def keys(self) -> tuple[ObjectKey, ...]:
        """The objects that were asked about and are of interest still."""
        return tuple(self._asked)

    def of(self, key: ObjectKey, generation: int) -> Delivery:
        """How far the object has got there, as far as that was said; asks where it was not."""
        asked = self._asked.get(key)
        if asked is None or asked.generation != generation:
            asked = self._asked[key] = _Asked(generation)
            self._outbox.append(Ask(name_of(key), generation))
        return asked.said

    def drop(self, key: ObjectKey) -> None:
        """The object is well everywhere: no more need be known."""
        self._asked.pop(key, None)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone."""
        if self._asked.pop(key, None) is not None:
            self._outbox.append(Forget(name_of(key)))

    def begin(self) -> None:
        """A new stream: what was said on another one may be of another life of the replica, so all is asked again."""
        self._outbox = []
        for key, asked in self._asked.items():
            asked.said = NOT_YET
            self._outbox.append(Ask(name_of(key), asked.generation))

    def questions(self) -> list[Question]:
        """What is to be sent; from now on it counts as sent."""
        questions, self._outbox = self._outbox, []
        return questions

    def take(self, answers: Iterable[Told]) -> list[ObjectKey]:
        """Note what is said. Gives the objects of which that is news; of generations that are past it is none."""
        news = []
        for told in answers:
            key = key_of(told.about)
            asked = self._asked.get(key) if key is not None else None
            if key is None or asked is None or asked.generation != told.generation or asked.said == told.delivery:
                continue
            asked.said = told.delivery
            news.append(key)
        return news
