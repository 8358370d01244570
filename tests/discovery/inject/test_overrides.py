"""The user's own proxy container."""

from __future__ import annotations

import json
from typing import Any

import pytest

from discovery.inject.errors import PodError
from discovery.inject.overrides import clean_pod, injected_before, move_proxy, reapply_overrides
from discovery.inject.strategic_merge import strategic_merge

INIT = {"name": "istio-init", "args": ["-u", "1337"], "securityContext": {"runAsUser": 0}}
CHECK = {"name": "istio-validation", "args": ["-u", "1337"], "securityContext": {"runAsUser": 1337}}
PROXY = {"name": "istio-proxy", "image": "proxy:1", "args": ["proxy"], "securityContext": {"runAsUser": 1337}}


def injected(user: dict[str, Any], *init: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """A pod with the user's container, merged with a template and overridden."""
    original = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"containers": [{"name": "app"}, {"name": "istio-proxy", **user}]},
    }
    template = {"spec": {"containers": [PROXY], "initContainers": [json.loads(json.dumps(item)) for item in init]}}
    return reapply_overrides(strategic_merge(original, template), original, template)


def test_what_the_user_wrote_wins() -> None:
    """Field by field; image auto means the template's. It is noted down for the next time."""
    final = injected({"image": "auto", "args": ["mine"]})
    assert final["spec"]["containers"][1]["image"] == "proxy:1"
    assert final["spec"]["containers"][1]["args"] == ["mine"]
    noted = json.loads(final["metadata"]["annotations"]["proxy.istio.io/overrides"])
    assert noted == {"containers": [{"name": "istio-proxy", "args": ["mine"], "resources": {}}]}


@pytest.mark.parametrize(
    ("init", "annotations", "user", "argument", "init_user"),
    [
        (INIT, {}, {"runAsUser": 1234}, "1234", 0),
        (CHECK, {}, {"runAsUser": 1234}, "1234", 1234),
        (INIT, {"sidecar.istio.io/interceptionMode": "TPROXY"}, {"runAsUser": 1234}, "1234", 0),
        (INIT, {}, {"runAsGroup": 5}, "1337", 0),
        (INIT, {}, {"runAsUser": 0}, "1337", 0),
    ],
)
def test_capture_follows_the_proxys_user(
    init: dict[str, Any], annotations: dict[str, str], user: dict[str, int], argument: str, init_user: int
) -> None:
    """It lets pass what that user sends; root cannot be told from others, and TPROXY takes root."""
    final = injected({"image": "auto", "securityContext": user}, init, annotations=annotations)
    (container,) = final["spec"]["initContainers"]
    assert container["args"] == ["-u", argument]
    assert container["securityContext"]["runAsUser"] == init_user
    if annotations:
        assert final["spec"]["containers"][1]["securityContext"]["runAsUser"] == 0


def test_without_a_container_of_the_users_nothing_is_noted() -> None:
    """The pod is what the template made of it."""
    original = {"metadata": {}, "spec": {"containers": [{"name": "app"}]}}
    template = {"spec": {"containers": [PROXY]}}
    merged = strategic_merge(original, template)
    assert reapply_overrides(merged, original, template) == merged


def test_a_second_time_the_notes_are_used() -> None:
    """The proxy in the pod is our own by then."""
    notes = json.dumps({"containers": [{"name": "istio-proxy", "args": ["mine"]}]})
    status = json.dumps({"containers": ["istio-proxy"], "initContainers": None})
    annotations = {"proxy.istio.io/overrides": notes, "sidecar.istio.io/status": status}
    final = injected({"args": ["old"], "image": "proxy:0"}, annotations=annotations)
    assert final["spec"]["containers"][1]["args"] == ["mine"]
    assert final["spec"]["containers"][1]["image"] == "proxy:1"
    assert final["metadata"]["annotations"]["proxy.istio.io/overrides"] == notes


def test_templates_see_the_pod_as_it_was() -> None:
    """Without what an earlier injection put in, with what the user wrote."""
    status = json.dumps({"containers": ["istio-proxy"], "initContainers": ["istio-init"], "revision": "default"})
    notes = json.dumps({"containers": [{"name": "istio-proxy", "image": "auto"}]})
    pod = {
        "metadata": {"annotations": {"sidecar.istio.io/status": status, "proxy.istio.io/overrides": notes}},
        "spec": {"containers": [{"name": "app"}, PROXY], "initContainers": [INIT]},
    }
    cleaned = clean_pod(pod)
    assert cleaned["spec"]["containers"] == [{"name": "app"}, {"name": "istio-proxy", "image": "auto"}]
    assert cleaned["spec"]["initContainers"] == []
    assert "sidecar.istio.io/status" not in cleaned["metadata"]["annotations"]
    assert injected_before(pod) == {"containers": ["istio-proxy"], "initContainers": ["istio-init"]}
    assert injected_before({"metadata": {}}) == {}


def test_notes_that_were_broken_are_told() -> None:
    """They are ours, so somebody edited them."""
    with pytest.raises(PodError, match="written by the injector"):
        injected_before({"metadata": {"annotations": {"sidecar.istio.io/status": "{"}}})


def test_a_hand_written_proxy_moves_to_the_native_sidecars() -> None:
    """Once; and not where there is one already."""
    pod: dict[str, Any] = {"spec": {"containers": [{"name": "app"}, PROXY], "initContainers": [{"name": "a"}]}}
    moved = move_proxy(pod)
    assert [item["name"] for item in moved["spec"]["containers"]] == ["app"]
    assert [item["name"] for item in moved["spec"]["initContainers"]] == ["a", "istio-proxy"]
    assert move_proxy(moved) == moved
    both = {"spec": {"containers": [PROXY], "initContainers": [PROXY]}}
    assert move_proxy(both) == both
