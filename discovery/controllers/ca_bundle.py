"""The roots by which the API server verifies our webhooks, in the configurations of those webhooks.

Only `clientConfig.caBundle` is ours, and only of webhooks that lead to us. A chart that is applied again empties it; we
hear of that and write it again. A validating webhook that starts with `failurePolicy: Ignore`, as istiod's own charts
have it, is switched to `Fail` once a dry run has shown that it refuses what it should; that is off unless asked for,
since what two write, Helm can neither upgrade nor roll back.

Spec: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry

from discovery.kube.cache import Change
from discovery.kube.client import PatchKind
from discovery.kube.errors import ApiError, KubeError, NotFoundError
from discovery.kube.informer import Informer
from discovery.kube.lease import Fence, NotLeadingError
from discovery.kube.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource
from discovery.kube.timing import Timing
from discovery.kube.work_queue import WorkQueue
from discovery.kube.writer import FIELD_MANAGER, FencedWriter, ReadWriteClient
from discovery.runtime.logs import get_logger
from discovery.runtime.metrics import PlainCounter

__all__ = ["BundlePatcher", "BundleSettings", "Configuration", "Webhook", "plan_bundle"]

_GATEWAYS: Final = Resource("networking.istio.io", "v1", "gateways")
_SUFFIXES: Final = {MUTATING_WEBHOOKS: "sidecar-injector.istio.io", VALIDATING_WEBHOOKS: "validation.istio.io"}
_REVISION: Final = "istio.io/rev"
_ALWAYS_REJECT: Final = "internal.istio.io/webhook-always-reject"
_DENIED: Final = "denied the request"
_PROBE_AGAIN_S: Final = 10.0
_log = get_logger("webhook")


class BundleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose configurations are ours.

    Attributes:
        namespace: of the control plane: webhooks that lead elsewhere are not ours.
        revision: configurations with this label `istio.io/rev` are ours.
        injection: name of one that is ours whatever its labels (INJECTION_WEBHOOK_CONFIG_NAME); empty: somebody else
            looks after all mutating ones, and we have no right to read them.
        validation: likewise (VALIDATION_WEBHOOK_CONFIG_NAME).
        switch_policy: whether to switch the failure policy of validation.
    """

    namespace: str
    revision: str = "default"
    injection: str = "istio-sidecar-injector"
    validation: str = "istio-istio-system"
    switch_policy: bool = False


class _Service(msgspec.Struct, frozen=True):
    namespace: str = ""
    name: str = ""


class _ClientConfig(msgspec.Struct, frozen=True, rename="camel"):
    ca_bundle: str = ""
    service: _Service | None = None


class Webhook(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One webhook of a configuration, as far as we care."""

    name: str
    client_config: _ClientConfig = _ClientConfig()
    failure_policy: str = ""


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""
    labels: Mapping[str, str] | None = None


class Configuration(msgspec.Struct, frozen=True):
    """A mutating or validating webhook configuration."""

    metadata: _Meta = _Meta()
    webhooks: tuple[Webhook, ...] | None = None


class _Key(NamedTuple):
    resource: Resource
    name: str

    def __str__(self) -> str:
        return f"{self.resource} {self.name}"


class _Reason(StrEnum):
    """Why a patch failed; the closed set of a label."""

    NOT_FOUND = "not found"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


def _is_ours(resource: Resource, found: Configuration, settings: BundleSettings) -> bool:
    name = settings.injection if resource == MUTATING_WEBHOOKS else settings.validation
    labels = found.metadata.labels or {}
    return found.metadata.name == name or labels.get(_REVISION) == settings.revision


def _our_webhooks(resource: Resource, found: Configuration, settings: BundleSettings) -> list[Webhook]:
    return [
        webhook
        for webhook in found.webhooks or ()
        if webhook.name.endswith(_SUFFIXES[resource])
        and webhook.client_config.service is not None
        and webhook.client_config.service.namespace == settings.namespace
    ]


def plan_bundle(
    resource: Resource, found: Configuration, bundle_pem: str, settings: BundleSettings, *, fail: bool = False
) -> Mapping[str, Any] | None:
    """The strategic merge patch that makes a configuration right; None where it is, or is not ours.

    Args:
        resource: MUTATING_WEBHOOKS or VALIDATING_WEBHOOKS.
        found: as it is.
        bundle_pem: the roots that our serving certificate leads to.
        settings: whose it is.
        fail: whether webhooks whose policy is to ignore failures are to be switched.
    """
    if not bundle_pem or not _is_ours(resource, found, settings):
        return None
    bundle = base64.b64encode(bundle_pem.encode()).decode()
    changes: list[dict[str, Any]] = []
    for webhook in _our_webhooks(resource, found, settings):
        change: dict[str, Any] = {}
        if webhook.client_config.ca_bundle != bundle:
            change["clientConfig"] = {"caBundle": bundle}
        if fail and webhook.failure_policy == "Ignore":
            change["failurePolicy"] = "Fail"
        if change:
            changes.append({"name": webhook.name, **change})  # the list merges by name
    return {"webhooks": changes} if changes else None


class BundlePatcher:
    """Keeps the configurations right while this replica leads: pass `lead` to the elector.

    Args:
        bundle_pem: the roots as they are now; empty: there are none yet.
    """

    def __init__(
        self,
        client: ReadWriteClient,
        bundle_pem: Callable[[], str],
        settings: BundleSettings,
        *,
        timing: Timing = Timing(),  # noqa: B008 - immutable
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._client = client
        self._bundle_pem = bundle_pem
        self._settings = settings
        self._timing = timing
        self._informers: dict[Resource, Informer[Configuration]] = {}
        self._queue: WorkQueue[_Key] | None = None
        self.attempts = PlainCounter("webhook_patch_attempts_total", "Patches of CA bundles.", registry=registry)
        self.failures = PlainCounter(
            "webhook_patch_failures_total",
            "Patches of CA bundles that failed.",
            registry=registry,
            label="reason",
            values=tuple(_Reason),
        )

    def roots_changed(self) -> None:
        """The roots are others now; to be called by who owns them."""
        if self._queue is not None:
            for resource, informer in self._informers.items():
                for key, _ in informer.list():
                    self._queue.add(_Key(resource, key.name))

    async def lead(self, fence: Fence) -> None:
        """Look after all configurations until cancelled.

        Raises:
            NotLeadingError: the term is over.
        """
        writer = FencedWriter(self._client, fence)
        queue = self._queue = WorkQueue("webhook configurations", clock=self._timing.clock, sleep=self._timing.sleep)
        try:
            async with asyncio.TaskGroup() as group:
                for resource in self._looked_after():
                    informer = self._informers[resource] = self._informer(resource, queue)
                    group.create_task(informer.run(), name=informer.name)
                await queue.run(lambda key: self._reconcile(key, writer), fatal=(NotLeadingError,))
        except* NotLeadingError:
            raise NotLeadingError("the lease was lost") from None
        finally:
            self._queue = None
            self._informers.clear()

    def _looked_after(self) -> Iterator[Resource]:
        if self._settings.injection:
            yield MUTATING_WEBHOOKS
        if self._settings.validation:
            yield VALIDATING_WEBHOOKS

    def _informer(self, resource: Resource, queue: WorkQueue[_Key]) -> Informer[Configuration]:
        decoder = msgspec.json.Decoder(Configuration)
        informer = Informer(self._client, resource, decoder.decode, self._timing)

        def on_changes(changes: Sequence[Change[Configuration]]) -> None:
            for change in changes:
                queue.add(_Key(resource, change.key.name))

        informer.subscribe(on_changes)
        return informer

    async def _reconcile(self, key: _Key, writer: FencedWriter) -> None:
        resource = key.resource
        found = self._informers[resource].get("", key.name)
        if found is None:
            return
        patch = plan_bundle(resource, found, self._bundle_pem(), self._settings)
        if patch is not None:
            await self._patch(key, patch, writer)
            return  # its event brings it back here, to look at the policy
        if resource != VALIDATING_WEBHOOKS or not self._settings.switch_policy:
            return
        patch = plan_bundle(resource, found, self._bundle_pem(), self._settings, fail=True)
        if patch is None:
            return
        if await self._refuses(writer):
            await self._patch(key, patch, writer)
        elif self._queue is not None:
            self._queue.add(key, after_s=_PROBE_AGAIN_S)

    async def _patch(self, key: _Key, patch: Mapping[str, Any], writer: FencedWriter) -> None:
        self.attempts.inc()
        path = key.resource.object("", key.name)
        try:
            await writer.patch(path, msgspec.json.encode(patch), PatchKind.STRATEGIC, {"fieldManager": FIELD_MANAGER})
        except NotFoundError:
            self.failures.inc(_Reason.NOT_FOUND)  # gone meanwhile
        except KubeError as error:
            self.failures.inc(_Reason.REFUSED if isinstance(error, ApiError) else _Reason.UNREACHABLE)
            raise
        else:
            _log.info("webhook configuration patched", configuration=str(key), webhooks=len(patch["webhooks"]))

    async def _refuses(self, writer: FencedWriter) -> bool:
        """Whether validation works: an object that asks to be rejected is, in a dry run that changes nothing."""
        metadata = {
            "name": "istio-validation-dry-run",
            "namespace": self._settings.namespace,
            "labels": {_REVISION: self._settings.revision},
            "annotations": {_ALWAYS_REJECT: "true"},
        }
        probe = {"apiVersion": _GATEWAYS.api_version, "kind": "Gateway", "metadata": metadata, "spec": {}}
        try:
            path = f"{_GATEWAYS.collection(self._settings.namespace)}?dryRun=All"
            await writer.create(path, msgspec.json.encode(probe))
        except ApiError as error:
            if _DENIED in error.message:
                return True
            _log.warning("validation webhook not probed; its failure policy stays", reason=str(error))
            return False
        _log.info("validation webhook does not refuse yet; its failure policy stays")
        return False
