"""The name table as the control plane sends it.

Spec: ``istio.networking.nds.v1.NameTable``, a map of host names to ``NameInfo``
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from discovery.wire.protowire import fields

__all__ = ["NameInfo", "parse_name_table"]


class NameInfo(NamedTuple):
    """One host name and what is known of it."""

    host: str
    ips: tuple[str, ...] = ()
    registry: str = ""
    short_name: str = ""
    namespace: str = ""
    alt_hosts: tuple[str, ...] = ()


def parse_name_table(data: bytes) -> Iterator[NameInfo]:
    """The entries, one by one as they are read.

    Raises:
        ValueError: the bytes are no name table; what was given before it is then void.
    """
    for number, value in fields(data):
        if number == 1:
            yield _entry(_bytes(value, "table"))


def _entry(data: memoryview) -> NameInfo:
    host, info = "", NameInfo("")
    for number, value in fields(data):
        if number == 1:
            host = _text(value, "host name")
        elif number == 2:
            info = _info(_bytes(value, "NameInfo"))
    return info._replace(host=host)


def _info(data: memoryview) -> NameInfo:
    ips: list[str] = []
    others: list[str] = []
    texts = {2: "", 3: "", 4: ""}
    for number, value in fields(data):
        if number == 1:
            ips.append(_text(value, "ips"))
        elif number == 5:
            others.append(_text(value, "alt_hosts"))
        elif number in texts:
            texts[number] = _text(value, "NameInfo")
    return NameInfo("", tuple(ips), texts[2], texts[3], texts[4], tuple(others))


def _text(value: int | memoryview, what: str) -> str:
    return str(_bytes(value, what), "utf-8")


def _bytes(value: int | memoryview, what: str) -> memoryview:
    if isinstance(value, int):
        raise ValueError(f"malformed name table: {what} is a number, want a string or message")
    return value
