"""What a leader wants to know of this replica, and what it has been told already. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from discovery.replicas.messages import Ask, Name, Question, Told, key_of
from discovery.schema.meta import ObjectKey
from discovery.store.delivery import NOT_YET, Delivery, DeliveryOracle

__all__ = ["Asked"]


class _Asked(msgspec.Struct):
    generation: int
    told: Delivery = NOT_YET


class Asked:
    """The questions of one stream that are not answered for good: bounded by the number of objects.

    Args:
        deliveries: of our own proxies.
        is_applied: whether our store has this generation of an object; until then deliveries speak of the one before.
    """

    def __init__(self, deliveries: DeliveryOracle, is_applied: Callable[[ObjectKey, int], bool]) -> None:
        self._deliveries = deliveries
        self._is_applied = is_applied
        self._asked: dict[Name, _Asked] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def take(self, questions: Iterable[Question]) -> None:
        """Note what is asked, and what no more."""
        for question in questions:
            if isinstance(question, Ask):
                self._asked[question.about] = _Asked(question.generation)
            else:
                self._asked.pop(question.about, None)

    def look(self) -> list[Told]:
        """What is new. What is well is told once and then out of mind."""
        news = []
        for name, asked in list(self._asked.items()):
            delivery = self._delivery(name, asked.generation)
            if delivery != asked.told:
                asked.told = delivery
                news.append(Told(name, asked.generation, delivery))
            if delivery.done:
                del self._asked[name]
        return news

    def _delivery(self, name: Name, generation: int) -> Delivery:
        key = key_of(name)
        if key is None or not self._is_applied(key, generation):
            return NOT_YET
        found = self._deliveries.of(key, generation)
        # How many are waited for changes all the time and is nobody's question.
        return msgspec.structs.replace(found, waiting=min(1, found.waiting))
