from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from discovery.controllers.ca_bundle import (
    BundlePatcher,
    BundleSettings,
    Configuration,
    plan_bundle,
)
from discovery.kube.client import KubeClient
from discovery.kube.errors import InvalidError
from discovery.kube.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource
from tests.kit.certs import root_ca
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import as_user, client_of, lasting_fence, running

SETTINGS = BundleSettings(namespace="istio-system", injection="injector", validation="validator")
PEM = root_ca().roots.to_pem().decode()
OTHER = root_ca("other").roots.to_pem().decode()
BUNDLE = base64.b64encode(PEM.encode()).decode()


def webhook(name: str, *, namespace: str = "istio-system", bundle: str = "", policy: str = "Fail") -> dict[str, Any]:
    client: dict[str, Any] = {"service": {"namespace": namespace, "name": "istiod", "path": "/x", "port": 443}}
    if bundle:
        client["caBundle"] = bundle
    rule = {"operations": ["CREATE"], "apiGroups": ["nobody.example"], "apiVersions": ["*"], "resources": ["nothings"]}
    return {
        "name": name,
        "clientConfig": client,
        "failurePolicy": policy,
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }


def configuration(kind: str, name: str, *webhooks: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name, "labels": {key.replace("_", "/"): value for key, value in labels.items()}},
        "webhooks": list(webhooks),
    }


def plan(resource: Resource, found: dict[str, Any], *, fail: bool = False) -> list[dict[str, Any]] | None:
    decoded = msgspec.convert(found, Configuration)
    patch = plan_bundle(resource, decoded, PEM, SETTINGS, fail=fail)
    return None if patch is None else list(patch["webhooks"])


INJECT = "namespace.sidecar-injector.istio.io"
VALIDATE = "rev.validation.istio.io"
CHANGE = {"clientConfig": {"caBundle": BUNDLE}}


def test_only_our_webhooks_are_patched() -> None:
    """By name and by where they lead; a list entry carries its name, by which it merges."""
    found = configuration(
        "Mutating",
        "injector",
        webhook(INJECT),
        webhook("object.sidecar-injector.istio.io", bundle="b2xk"),
        webhook("rev." + INJECT, bundle=BUNDLE),
        webhook("elsewhere." + INJECT, namespace="other"),
        webhook("policy.example.com"),
    )
    assert plan(MUTATING_WEBHOOKS, found) == [
        {"name": INJECT, **CHANGE},
        {"name": "object.sidecar-injector.istio.io", **CHANGE},
    ]


@pytest.mark.parametrize(
    ("resource", "found", "ours"),
    [
        (MUTATING_WEBHOOKS, configuration("Mutating", "injector", webhook(INJECT)), True),
        (MUTATING_WEBHOOKS, configuration("Mutating", "tag", webhook(INJECT), **{"istio.io_rev": "default"}), True),
        (MUTATING_WEBHOOKS, configuration("Mutating", "canary", webhook(INJECT), **{"istio.io_rev": "canary"}), False),
        (MUTATING_WEBHOOKS, configuration("Mutating", "other", webhook(INJECT)), False),
        (VALIDATING_WEBHOOKS, configuration("Validating", "validator", webhook(VALIDATE)), True),
        (VALIDATING_WEBHOOKS, configuration("Validating", "injector", webhook(VALIDATE)), False),
        (VALIDATING_WEBHOOKS, configuration("Validating", "validator", webhook(INJECT)), False),
        (MUTATING_WEBHOOKS, {"metadata": {"name": "injector"}}, False),
    ],
)
def test_whose_configurations_are_ours(resource: Resource, found: dict[str, Any], *, ours: bool) -> None:
    """By their name, or by our revision: revision tags carry the same label."""
    assert (plan(resource, found) is not None) is ours


def test_nothing_is_planned_without_roots() -> None:
    """An empty bundle would make the API server trust its own roots."""
    found = msgspec.convert(configuration("Mutating", "injector", webhook(INJECT)), Configuration)
    assert plan_bundle(MUTATING_WEBHOOKS, found, "", SETTINGS) is None


def test_policy_is_switched_only_when_asked() -> None:
    """And only from Ignore."""
    good = configuration("Validating", "validator", webhook(VALIDATE, bundle=BUNDLE, policy="Ignore"))
    assert plan(VALIDATING_WEBHOOKS, good) is None
    assert plan(VALIDATING_WEBHOOKS, good, fail=True) == [{"name": VALIDATE, "failurePolicy": "Fail"}]
    strict = configuration("Validating", "validator", webhook(VALIDATE, bundle=BUNDLE))
    assert plan(VALIDATING_WEBHOOKS, strict, fail=True) is None


class Bundle:
    def __init__(self) -> None:
        self.pem = PEM


async def bundles(api: KubeApi, kind: str, name: str) -> list[str]:
    found = await api.get("admissionregistration.k8s.io/v1", f"{kind}WebhookConfiguration", name)
    assert found is not None
    return [base64.b64decode(w["clientConfig"].get("caBundle", "")).decode() for w in found["webhooks"]]


@pytest.mark.kube_double
async def test_configurations_follow_the_roots(kube_api: KubeApi, tmp_path: Path) -> None:
    """Made later, applied anew by a chart, roots changed: each is made good; then nothing is written any more."""
    injector = configuration("Mutating", "injector", webhook(INJECT), webhook("rev." + INJECT))
    await kube_api.apply(injector)
    bundle = Bundle()
    async with as_user(kube_api, tmp_path, "pilot") as client:
        patcher = BundlePatcher(client, lambda: bundle.pem, SETTINGS)
        async with running(lambda: patcher.lead(lasting_fence())):

            async def right(kind: str, name: str) -> bool:
                return set(await bundles(kube_api, kind, name)) == {bundle.pem}

            async def another(name: str) -> None:
                """Others of ours, whose turn comes after what is there."""
                for kind, hook in (("Mutating", INJECT), ("Validating", VALIDATE)):
                    await kube_api.apply(configuration(kind, name, webhook(hook), **{"istio.io_rev": "default"}))
                    await eventually(lambda kind=kind: right(kind, name))

            await eventually(lambda: right("Mutating", "injector"))
            await kube_api.apply(configuration("Validating", "validator", webhook(VALIDATE)))
            await eventually(lambda: right("Validating", "validator"))
            emptied = webhook(INJECT)
            emptied["clientConfig"]["caBundle"] = ""
            await kube_api.apply(configuration("Mutating", "injector", emptied, webhook("rev." + INJECT)))
            await eventually(lambda: right("Mutating", "injector"))
            bundle.pem = OTHER
            patcher.roots_changed()
            await eventually(lambda: right("Mutating", "injector"))
            await eventually(lambda: right("Validating", "validator"))
            await another("first")  # by now what was written has come back as events
            done = writes_of(kube_api)
            patcher.roots_changed()
            await another("second")
    assert set(done) == {("patch", "injector"), ("patch", "validator")}
    assert writes_of(kube_api) == done


def writes_of(api: KubeApi) -> list[tuple[str, str]]:
    ours = [r for r in api.requests if r.user == "pilot" and r.verb not in ("watch", "list")]
    return [(request.verb, request.name) for request in ours if request.name in ("injector", "validator")]


class Probed:
    """A client behind which an admission webhook judges dry runs; the rest goes through."""

    def __init__(self, client: KubeClient) -> None:
        self.get, self.replace, self.patch = client.get, client.replace, client.patch
        self.delete, self.watch = client.delete, client.watch
        self.works = False
        self.probes = 0

    async def create(self, path: str, body: bytes) -> bytes:
        assert path == "/apis/networking.istio.io/v1/namespaces/istio-system/gateways?dryRun=All"
        self.probes += 1
        if self.works:
            told = 'admission webhook "rev.validation.istio.io" denied the request: as asked'
            raise InvalidError(f"POST {path}", 400, "BadRequest", told)
        return body


@pytest.mark.kube_double
async def test_policy_becomes_strict_once_validation_works(kube_api: KubeApi, tmp_path: Path) -> None:
    """While a bad object gets through in a dry run, failures go on being ignored."""
    await kube_api.apply(configuration("Validating", "validator", webhook(VALIDATE, policy="Ignore")))
    settings = msgspec.structs.replace(SETTINGS, switch_policy=True)
    await kube_api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}})

    async with as_user(kube_api, tmp_path, "pilot") as client:
        probed = Probed(client)

        async def policy() -> str:
            found = await kube_api.get("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validator")
            assert found is not None
            return str(found["webhooks"][0]["failurePolicy"])

        patcher = BundlePatcher(probed, lambda: PEM, settings)
        async with running(lambda: patcher.lead(lasting_fence())):
            await eventually(lambda: probed.probes > 0)
            assert await policy() == "Ignore"
            probed.works = True
            patcher.roots_changed()

            async def strict() -> bool:
                return await policy() == "Fail"

            await eventually(strict)


async def test_unsuitable_webhook_disturbs_no_other(kube_api: KubeApi) -> None:
    """A configuration that is not ours stays untouched while ours is patched."""
    name = (await kube_api.new_namespace())[-8:]
    other = configuration("Mutating", f"other-{name}", webhook("policy.example.com", namespace="other"))
    ours = configuration("Mutating", f"injector-{name}", webhook(INJECT))
    await kube_api.apply(other, ours)
    settings = msgspec.structs.replace(SETTINGS, injection=f"injector-{name}", revision=name)
    try:
        async with client_of(kube_api) as client:
            patcher = BundlePatcher(client, lambda: PEM, settings)
            async with running(lambda: patcher.lead(lasting_fence())):

                async def right() -> bool:
                    return await bundles(kube_api, "Mutating", f"injector-{name}") == [PEM]

                await eventually(right)
        assert await bundles(kube_api, "Mutating", f"other-{name}") == [""]
    finally:
        await kube_api.delete(other, ours)


@pytest.mark.kube_double
async def test_kinds_that_are_not_ours_are_not_even_read(kube_api: KubeApi, tmp_path: Path) -> None:
    """Without a name somebody else looks after them, and the chart grants no right to read them."""
    await kube_api.apply(configuration("Mutating", "injector", webhook(INJECT)))
    settings = msgspec.structs.replace(SETTINGS, validation="")
    async with as_user(kube_api, tmp_path, "pilot") as client:
        patcher = BundlePatcher(client, lambda: PEM, settings)
        async with running(lambda: patcher.lead(lasting_fence())):

            async def right() -> bool:
                return await bundles(kube_api, "Mutating", "injector") == [PEM]

            await eventually(right)
    resources = {request.resource for request in kube_api.requests if request.user == "pilot"}
    assert resources == {"mutatingwebhookconfigurations"}
