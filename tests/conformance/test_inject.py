"""Injection both ways: whole documents on the command line, and pods in reviews that the webhook answers."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
import yaml

from discovery.ctl.commands.kube_inject import Injecting, inject_text
from discovery.inject.errors import PodError
from discovery.inject.native_sidecar import NativeSidecars
from discovery.inject.resources import pod_template_path
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Object
from discovery.webhooks.admission import parse_review
from discovery.webhooks.injecting import InjectSettings, PodInjector
from discovery.webhooks.injector_config import InjectorState
from tests.kit.conformance import Case, cases
from tests.kit.inject_cases import InjectCase, normalised, with_owner
from tests.kit.kube_api.patching import json_patch

Document = dict[str, Any]


class _Cluster:
    """What a case's cluster has."""

    def __init__(self, settings: InjectCase) -> None:
        self._settings = settings

    @property
    def mesh(self) -> MeshConfig:
        return self._settings.mesh

    def proxy_configs(self) -> Iterable[Object]:
        return ()

    def kubelets(self) -> Mapping[str, str]:
        return self._settings.kubelets

    def namespace_annotations(self, namespace: str) -> Mapping[str, str]:
        return self._settings.namespaces.get(namespace, {})


def _flat(documents: Iterable[Document]) -> Iterator[Document]:
    """The documents, lists as their items."""
    for document in documents:
        if document and document["kind"] == "List":
            yield from _flat(document["items"])
        elif document:
            yield document


def _pod(document: Document) -> Document | None:
    path = pod_template_path(document)
    if path is None:
        return None
    for key in path:
        document = document[key]
    return document


def _injector(settings: InjectCase) -> PodInjector:
    state = InjectorState(settings.config, settings.values)
    return PodInjector(
        lambda: state,
        _Cluster(settings),
        InjectSettings(
            revision="default",
            native=NativeSidecars(settings.environ.get("ENABLE_NATIVE_SIDECARS", "auto")),
            openshift=settings.environ.get("PLATFORM") == "openshift",
        ),
    )


def _reviewed(injector: PodInjector, pod: Document, namespace: str) -> Document:
    """The pod after the webhook, by the bytes that an API server would send."""
    request = {
        "uid": "1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "namespace": namespace,
        "operation": "CREATE",
        "object": pod,
    }
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
    answer = injector.review(parse_review(body.encode()), "/inject").answer
    if not answer.allowed:
        raise PodError(answer.message)
    operations = msgspec.json.decode(msgspec.json.encode(answer.patch), type=list[dict[str, Any]])
    return json_patch(copy.deepcopy(pod), operations)


def _by_command(case: Case, settings: InjectCase) -> list[Document]:
    by = Injecting(
        config=settings.config,
        values=settings.values,
        mesh=settings.mesh,
        revision=settings.revision,
        native=settings.native,
    )
    return list(_flat(yaml.safe_load_all("".join(inject_text(case.text(case["input"]), by)))))


def _by_webhook(case: Case, settings: InjectCase) -> list[Document | None]:
    """The pods; each must give itself a second time."""
    injector = _injector(settings)
    done: list[Document | None] = []
    for document in _flat(yaml.safe_load_all(case.text(case["input"]))):
        template = _pod(document)
        if template is None:
            done.append(None)
            continue
        namespace = document["metadata"].get("namespace", "")
        pod = with_owner(copy.deepcopy(template), document)
        once = _reviewed(injector, pod, namespace)
        assert _reviewed(injector, once, namespace) == once, "a second time changed the pod"
        done.append({key: once[key] for key in ("metadata", "spec")})
    return done


def _without_owner(pod: Document, template: Document) -> Document:
    own = template.get("metadata") or {}
    added = {"generateName", "ownerReferences"} - own.keys()
    return {**pod, "metadata": {k: v for k, v in pod["metadata"].items() if k not in added}}


@pytest.mark.parametrize("case", cases("inject"))
def test_inject(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """Each pod equals the expected one, on both ways and in all variants; what has no pod stays as it was."""
    for variant in (None, *case.get("variants", ())):
        settings = InjectCase(case, variant)
        if case.get("expect_error"):
            with pytest.raises(PodError, match=f"(?i){case['expect_error']}"):
                _by_command(case, settings)
            continue
        expected = list(_flat(yaml.safe_load_all(case.text(case.get("expected", case["input"])))))
        given = list(_flat(yaml.safe_load_all(case.text(case["input"]))))
        if case["kube_inject"]:
            for found, wanted, before in zip(_by_command(case, settings), expected, given, strict=True):
                template = _pod(found)
                if template is None:
                    assert found == before
                else:
                    assert normalised(template) == normalised(_pod(wanted) or {})
        if case["webhook"]:
            for pod, wanted, before in zip(_by_webhook(case, settings), expected, given, strict=True):
                if pod is not None:
                    plain = {key: value for key, value in (_pod(wanted) or {}).items() if key in ("metadata", "spec")}
                    assert normalised(_without_owner(pod, _pod(before) or {})) == normalised(plain)
    assert case.get("expect_log", "") in capsys.readouterr().err
