"""The pure part of the Sprig library, under its names: functions that Helm's and Istio's templates are written with.

Left out: what asks the clock, the network, the environment or chance, and what makes keys.

Spec: https://masterminds.github.io/sprig/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.sprig.choices import CHOICES
from discovery.inject.gotemplate.sprig.encodings import ENCODINGS
from discovery.inject.gotemplate.sprig.lists import LISTS
from discovery.inject.gotemplate.sprig.maps import MAPS
from discovery.inject.gotemplate.sprig.numbers import NUMBERS
from discovery.inject.gotemplate.sprig.regexes import REGEXES
from discovery.inject.gotemplate.sprig.texts import TEXTS

__all__ = ["SPRIG"]

SPRIG: Final[Mapping[str, Callable[..., Any]]] = {
    **CHOICES, **ENCODINGS, **LISTS, **MAPS, **NUMBERS, **REGEXES, **TEXTS,
}  # fmt: skip
