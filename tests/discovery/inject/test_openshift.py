"""OpenShift's ranges of users."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.openshift import DEFAULT_IDS, forget_given_user, proxy_ids

UIDS = "openshift.io/sa.scc.uid-range"
GROUPS = "openshift.io/sa.scc.supplemental-groups"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, DEFAULT_IDS),
        ({UIDS: "1000/10"}, (1009, 1009)),
        ({UIDS: "1000-1004", GROUPS: "2000/5,3000/5"}, (1004, 2004)),
        ({UIDS: "nonsense"}, DEFAULT_IDS),
    ],
)
def test_the_last_of_the_range(annotations: dict[str, str], expected: tuple[int, int]) -> None:
    """Groups fall back to users; without ranges it is 1337."""
    assert proxy_ids(annotations) == expected


@pytest.mark.parametrize(
    ("proxy_user", "app_user", "left"),
    [(1000, 1000, {"readOnlyRootFilesystem": True}), (1000, 2000, None), (1000, None, None)],
)
def test_a_user_given_by_the_platform_is_forgotten(proxy_user: int, app_user: int | None, left: Any) -> None:
    """If it is the application's too; a user that somebody chose stays."""
    context = {"runAsUser": proxy_user, "runAsGroup": 1, "readOnlyRootFilesystem": True}
    app = {"name": "app", "securityContext": {"runAsUser": app_user} if app_user else {}}
    pod = {"spec": {"containers": [app, {"name": "istio-proxy", "securityContext": dict(context)}]}}
    forget_given_user(pod)
    assert pod["spec"]["containers"][1]["securityContext"] == (context if left is None else left)


def test_without_a_proxy_of_the_users() -> None:
    """Nothing happens."""
    forget_given_user({"spec": {"containers": [{"name": "app"}]}})
    forget_given_user({"spec": {"containers": [{"name": "istio-proxy"}]}})
