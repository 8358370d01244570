from __future__ import annotations

import pytest

from examples.demo.weights import read_weights, with_weights

TEXT = """
  route: # a comment
    - destination:
        host: reviews
        subset: v1
      weight: 90
    - destination:
        subset: v2
      weight: 10
    - destination:
        subset: tested
"""


def test_weights_are_read_in_order() -> None:
    """A destination without a weight has none."""
    assert list(read_weights(TEXT).items()) == [("v1", 90), ("v2", 10)]


def test_only_the_numbers_change() -> None:
    """Comments and everything else stay as the user wrote them; what is not named keeps its weight."""
    assert with_weights(TEXT, {"v1": 0}) == TEXT.replace("90", "0")
    assert with_weights(TEXT, {"v1": 5, "v2": 95}) == TEXT.replace("weight: 90", "weight: 5").replace(
        "weight: 10", "weight: 95"
    )


def test_a_subset_that_is_not_there_is_an_error() -> None:
    """An edit that would change nothing must not pass for one."""
    with pytest.raises(ValueError, match="no weighted subset tested, v9"):
        with_weights(TEXT, {"v9": 1, "tested": 1})
