from __future__ import annotations

import pytest

from certs import errors
from certs.errors import CertsError, Finding


def test_every_error_is_one_of_ours() -> None:
    """A caller that catches CertsError, or ValueError, catches all."""
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert all(issubclass(kind, CertsError) for kind in kinds)
    assert issubclass(CertsError, ValueError)


@pytest.mark.parametrize(("hint", "text"), [("", "file: wrong"), ("mend it", "file: wrong; mend it")])
def test_text_says_where_what_and_what_to_do(hint: str, text: str) -> None:
    """In this order, the hint only if there is one."""
    error = CertsError("file", "wrong", hint=hint)
    assert str(error) == text
    assert (error.where, error.what, error.hint) == ("file", "wrong", hint)


def test_finding_reads_like_an_error() -> None:
    """Findings are printed the same way."""
    assert str(Finding("file", "wrong")) == "file: wrong"
