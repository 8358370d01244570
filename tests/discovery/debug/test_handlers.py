"""Questions and answers by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from discovery.debug.handlers import DebugHandlers, Question, QuestionError
from discovery.debug.json_stream import Living, render_json
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from tests.kit.debug_world import DebugWorld

NAMES = [
    "adsz",
    "config_dump",
    "configz",
    "connections",
    "ecdsz",
    "edsz",
    "endpointShardz",
    "endpointz",
    "explain",
    "instancesz",
    "list",
    "mesh",
    "ndsz",
    "push_status",
    "registryz",
    "resources",
    "sidecarz",
    "syncz",
]
ABOUT_ONE_PROXY = ["config_dump", "ecdsz", "edsz", "explain", "ndsz", "resources", "sidecarz"]
WEB = "outbound|80||web.shop.svc.cluster.local"


@pytest.fixture
def handlers() -> DebugHandlers:
    world = DebugWorld()
    world.connect()
    return DebugHandlers(world.content)


def ask(handlers: DebugHandlers, name: str, /, *, mine: bool = True, **query: str) -> Any:
    answer = handlers.answer(name, Question(query=query, may_see=lambda namespace: mine))
    value = answer.value if isinstance(answer, Living) else answer
    return json.loads(b"".join(render_json(value, pretty=False)))


def test_list_names_all_but_itself(handlers: DebugHandlers) -> None:
    """As istiod's does."""
    assert handlers.names == sorted(NAMES)
    assert ask(handlers, "list") == [name for name in sorted(NAMES) if name != "list"]


@pytest.mark.parametrize("name", NAMES)
def test_every_endpoint_answers(handlers: DebugHandlers, name: str) -> None:
    """With JSON, given what it needs."""
    query: dict[str, Any] = {"proxyID": "web-1", "type": "cds", "name": WEB} if name in ABOUT_ONE_PROXY else {}
    assert ask(handlers, name, **query) is not None


@pytest.mark.parametrize("name", ABOUT_ONE_PROXY)
def test_a_proxy_must_be_named_and_connected(handlers: DebugHandlers, name: str) -> None:
    """The texts are istiod's: tools look for them."""
    with pytest.raises(QuestionError, match="You must provide a proxyID in the query string") as missing:
        ask(handlers, name)
    assert missing.value.status == 400
    with pytest.raises(QuestionError, match="Proxy not connected to this Pilot instance") as unknown:
        ask(handlers, name, proxyID="nobody")
    assert unknown.value.status == 404
    with pytest.raises(QuestionError, match="its own proxies") as foreign:
        ask(handlers, name, mine=False, proxyID="web-1")
    assert foreign.value.status == 403


def test_unknown_endpoint_points_to_the_list(handlers: DebugHandlers) -> None:
    """404, with a way on."""
    with pytest.raises(QuestionError, match="/debug/list") as unknown:
        ask(handlers, "nothing")
    assert unknown.value.status == 404


@pytest.mark.parametrize(
    ("name", "query", "status", "text"),
    [
        ("config_dump", {"types": "what"}, 400, "type 'what' is unknown"),
        ("explain", {"type": "cds,lds", "name": "x"}, 400, "one xDS type"),
        ("explain", {"type": "cds"}, 400, "want name="),
        ("explain", {"type": "cds", "name": "nothing"}, 404, "is not served 'nothing'"),
        ("resources", {}, 400, "one xDS type"),
        ("resources", {"type": "cds", "name": "nothing"}, 404, "is not served 'nothing'"),
    ],
)
def test_wrong_questions_say_what_was_wanted(
    handlers: DebugHandlers, name: str, query: dict[str, Any], status: int, text: str
) -> None:
    """Status and text."""
    with pytest.raises(QuestionError, match=text) as wrong:
        ask(handlers, name, proxyID="web-1", **query)
    assert wrong.value.status == status


def test_adsz_of_an_unknown_proxy_is_not_found(handlers: DebugHandlers) -> None:
    """An empty list would look like an answer."""
    with pytest.raises(QuestionError, match="not connected"):
        ask(handlers, "adsz", proxyID="nobody")


def test_config_dump_of_types_and_with_endpoints(handlers: DebugHandlers) -> None:
    """`types=` gives raw resources, `include_eds` one more section unless it is false."""
    assert list(ask(handlers, "config_dump", proxyID="web", types="cds,eds")) == [CLUSTER, ENDPOINT]
    sections = [len(ask(handlers, "config_dump", proxyID="web", include_eds=v)["configs"]) for v in ("true", "false")]
    assert sections == [8, 7]


def test_one_resource_with_its_version(handlers: DebugHandlers) -> None:
    """What the page shows beside the explanation."""
    found = ask(handlers, "resources", proxyID="web", type="cds", name=WEB)
    assert found["resource"]["name"] == WEB
    assert len(found["version"]) == 16


def test_the_reference_page_names_every_endpoint(handlers: DebugHandlers) -> None:
    """And no other."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "debug.md").read_text(encoding="utf-8")
    table = page.partition("## Endpoints")[2].partition("## explain")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert documented == set(handlers.names)
