from __future__ import annotations

import msgspec
import pytest

from discovery.kube.nesting import EVENT_LEVEL, PAGE_LEVEL, without_depths


def nested(levels: int) -> bytes:
    """A value of so many levels."""
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("levels", [501, 5000])
def test_only_the_value_that_is_too_deep_is_replaced(levels: int) -> None:
    """Its neighbours stay, byte for byte."""
    text = b'{"object": {"metadata":{"name": "a"},"spec":{"b": [1], "deep": %s, "c":"}"}}}'
    cut = without_depths(text % nested(levels), level=EVENT_LEVEL)
    assert cut == text % b'"more than 500 levels of nesting"'


@pytest.mark.parametrize("levels", [0, 1, 500])
def test_what_is_not_too_deep_stays(levels: int) -> None:
    """The bound is the last that is taken."""
    text = b'{"object":{"spec":{"deep":%s}}}' % nested(levels)
    assert without_depths(text, level=EVENT_LEVEL) == text


def test_brackets_in_texts_do_not_count() -> None:
    """Nor do escaped quotation marks end a text."""
    text = msgspec.json.encode({"items": [{"spec": {"a": {"b": '"' + "[{" * 2000 + "\\"}}}]})
    assert without_depths(text, level=PAGE_LEVEL) == text


def test_text_that_is_no_json_stays() -> None:
    """Whoever decodes it says what is wrong."""
    assert without_depths(b'}]{"a', level=EVENT_LEVEL) == b'}]{"a'
