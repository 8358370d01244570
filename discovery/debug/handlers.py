"""The debug endpoints by name: from a query to an answer, or to an error that says what was wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry

from discovery.auth.chain import Gatekeeper
from discovery.debug.config_dump import (
    TypeNameError,
    config_dump,
    parse_types,
    raw_resources,
    resource_data,
    resource_list,
)
from discovery.debug.explain import Explainer, UnknownResourceError
from discovery.debug.mesh import proto_json
from discovery.debug.problems import push_status
from discovery.debug.proxies import adsz, connections, instancesz, syncz
from discovery.debug.registry import configz, endpointz, registryz
from discovery.debug.sidecarz import sidecarz
from discovery.runtime.readiness import Readiness
from discovery.schema.findings import Finding
from discovery.store.cells import MESH
from discovery.wire.type_urls import ENDPOINT, EXTENSION_CONFIG, NAME_TABLE
from discovery.xds.connections import ConnectionInfo, Connections

__all__ = ["DebugContent", "DebugHandlers", "Question", "QuestionError"]

_NOT_HERE: Final = "Proxy not connected to this Pilot instance. It may be connected to another instance."
_EXPLAIN_S: Final = 0.1  # the event loop waits for it; what is not found out by then is left open


class DebugContent(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoints show, all of it read-only here.

    Attributes:
        findings: what is wrong with the configuration now.
    """

    connections: Connections
    explainer: Explainer
    readiness: Readiness
    registry: CollectorRegistry
    findings: Callable[[], tuple[Finding, ...]]
    root_namespace: str
    gatekeeper: Gatekeeper | None = None


class QuestionError(Exception):
    """A question that has no answer: ``status`` is the HTTP one, the text is for the asker."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def _patience(limit_s: float) -> Callable[[], bool]:
    until = time.monotonic() + limit_s
    return lambda: time.monotonic() > until


class Question(NamedTuple):
    """What somebody asks."""

    query: Mapping[str, str]
    may_see: Callable[[str], bool]  # whether proxies of a namespace are the asker's business

    def text(self, name: str) -> str:
        """A parameter; empty when it is not given."""
        return self.query.get(name, "")

    def switch(self, name: str) -> bool:
        """Whether a parameter is given, alone or as true."""
        return name in self.query and self.query[name].lower() not in ("false", "0")


class DebugHandlers:
    """Answers questions; what it returns is JSON data, with ``Rows`` and ``Living`` where that is large."""

    def __init__(self, content: DebugContent) -> None:
        self._content = content
        self._db = content.explainer.db
        self._by_name: Mapping[str, Callable[[Question], Any]] = {
            "adsz": self._adsz,
            "config_dump": self._config_dump,
            "configz": lambda _: configz(content.explainer.objects),
            "connections": lambda _: connections(content.connections),
            "ecdsz": lambda question: raw_resources(self._proxy(question), [EXTENSION_CONFIG]),
            "edsz": lambda question: raw_resources(self._proxy(question), [ENDPOINT]),
            "endpointShardz": lambda question: endpointz(self._db, host=question.text("host")),
            "endpointz": lambda question: endpointz(self._db, host=question.text("host")),
            "explain": self._explain,
            "instancesz": lambda _: instancesz(content.connections),
            "list": lambda _: [name for name in self.names if name != "list"],
            "mesh": lambda _: proto_json(MESH(self._db, None)),
            "ndsz": lambda question: raw_resources(self._proxy(question), [NAME_TABLE]),
            "push_status": lambda _: push_status(
                content.findings(), content.connections.failures(), content.connections.rejections
            ),
            "registryz": lambda question: registryz(self._db, host=question.text("host")),
            "resources": self._resources,
            "sidecarz": lambda question: sidecarz(self._db, self._proxy(question)),
            "syncz": lambda question: syncz(content.connections, namespace=question.text("namespace")),
        }

    @property
    def names(self) -> list[str]:
        """All endpoints, sorted."""
        return sorted(self._by_name)

    def answer(self, name: str, question: Question) -> Any:
        """The answer of an endpoint.

        Raises:
            QuestionError: there is no such endpoint or proxy, or parameters are wrong or missing.
        """
        handler = self._by_name.get(name)
        if handler is None:
            raise QuestionError(404, f"no debug endpoint {name!r}; /debug/list names them all")
        try:
            return handler(question)
        except TypeNameError as error:
            raise QuestionError(400, str(error)) from error

    def _proxy(self, question: Question) -> ConnectionInfo:
        wanted = question.text("proxyID")
        if not wanted:
            raise QuestionError(400, "You must provide a proxyID in the query string")
        found = self._content.connections.find(wanted)
        if found is None:
            raise QuestionError(404, _NOT_HERE)
        if not question.may_see(found.node.namespace):
            raise QuestionError(403, "your namespace may only look at its own proxies")
        return found

    def _adsz(self, question: Question) -> Any:
        wanted = question.text("proxyID")
        if wanted and self._content.connections.find(wanted) is None:
            raise QuestionError(404, _NOT_HERE)
        return adsz(self._content.connections, proxy_id=wanted)

    def _config_dump(self, question: Question) -> Any:
        found = self._proxy(question)
        types = parse_types(question.text("types"))
        if types:
            return raw_resources(found, types)
        return config_dump(found, with_endpoints=question.switch("include_eds"))

    def _one_type(self, question: Question) -> str:
        types = parse_types(question.text("type"))
        if len(types) != 1:
            raise QuestionError(400, "want type=, one xDS type such as cds")
        return types[0]

    def _resources(self, question: Question) -> Any:
        """Names and versions of a type; with ``name=`` that resource itself."""
        found, type_url, name = self._proxy(question), self._one_type(question), question.text("name")
        if not name:
            return resource_list(found, type_url)
        resource = found.resources(type_url).get(name)
        if resource is None:
            raise QuestionError(404, f"{found.id} is not served {name!r} of {type_url}")
        return {"version": resource.version, "resource": resource_data(resource)}

    def _explain(self, question: Question) -> Any:
        found, type_url, name = self._proxy(question), self._one_type(question), question.text("name")
        if not name:
            raise QuestionError(400, "want name=, the name of the resource")
        try:
            return self._content.explainer.explain(found, type_url, name, enough=_patience(_EXPLAIN_S))
        except UnknownResourceError as error:
            raise QuestionError(404, str(error)) from error
