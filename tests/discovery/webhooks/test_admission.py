"""AdmissionReview as bytes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from discovery.webhooks.admission import Answer, ReviewError, parse_review, render_review


def review(version: str = "v1", **request: Any) -> bytes:
    """A review as an API server sends it."""
    document = {"apiVersion": f"admission.k8s.io/{version}", "kind": "AdmissionReview", "request": request}
    return json.dumps(document).encode()


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_answer_is_of_the_questions_version(version: str) -> None:
    """And has its uid."""
    request = parse_review(review(version, uid="u", operation="CREATE", object={"a": 1}, namespace="n", userInfo={}))
    assert (request.uid, request.namespace, request.operation, request.object) == ("u", "n", "CREATE", {"a": 1})
    answer = json.loads(render_review(request, Answer(allowed=True)))
    assert answer == {
        "apiVersion": f"admission.k8s.io/{version}",
        "kind": "AdmissionReview",
        "response": {"uid": "u", "allowed": True},
    }


def test_all_parts_of_an_answer() -> None:
    """The patch in base64, the reason as a status."""
    request = parse_review(review(uid="u"))
    answer = Answer(allowed=False, message="no", patch=[{"op": "remove", "path": "/a"}], warnings=("w",))
    response = json.loads(render_review(request, answer))["response"]
    assert response["status"]["message"] == "no"
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [{"op": "remove", "path": "/a"}]
    assert response["warnings"] == ["w"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "want an AdmissionReview in JSON"),
        (b"[]", "want an AdmissionReview"),
        (b'{"a":' * 5000, "want an AdmissionReview in JSON: maximum recursion depth"),
        (review("v2", uid="u"), "got AdmissionReview of admission.k8s.io/v2"),
        (review(uid=3), "uid"),
        (review(operation="CREATE"), "uid"),
    ],
)
def test_what_is_no_review(body: bytes, problem: str) -> None:
    """Is told."""
    with pytest.raises(ReviewError, match=problem):
        parse_review(body)
