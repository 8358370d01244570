"""Signing material that a whole cluster shares: made once by whoever is first, followed by all, renewed by the leader.

A replica that finds no Secret makes one; of several that do so at once one succeeds, and the others read its work. What
cannot be used is told, and the material in use stays. An operator's Secret that comes later takes the place of ours if
it shares a root with it, and an operator's files take the place of both. Should somebody delete the Secret while
replicas still sign with it, the leader writes it again: a mesh does not change its roots by accident.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec

from certs.ca import SigningCa
from certs.errors import CaError
from discovery.ca.roots import CaRoots, CaSettings, RootOrigin, new_root, renewed
from discovery.ca.secret import CA_SECRET, PLUGGED_IN_SECRET, CaSecret, decode_ca_secret, encode_ca_secret
from discovery.kube.cache import Change
from discovery.kube.errors import ApiError, ConflictError, KubeError, NotFoundError, UnreachableError
from discovery.kube.informer import Informer, Selection
from discovery.kube.lease import Fence
from discovery.kube.resources import SECRETS
from discovery.kube.timing import Timing
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.logs import get_logger

__all__ = ["SECRETS", "SecretClient", "SecretRoots", "SecretSettings", "open_secret_roots"]

_log = get_logger("ca")
_AGAIN_S: Final = 60.0
_LASTING: Final = frozenset({400, 401, 403, 422})  # statuses that trying again does not mend


class SecretClient(Protocol):
    """What is asked of an API server; `KubeClient` answers."""

    async def get(self, path: str, query: Mapping[str, str] = ...) -> bytes:
        """An object or a list."""

    async def create(self, path: str, body: bytes) -> bytes:
        """POST."""

    async def replace(self, path: str, body: bytes) -> bytes:
        """PUT."""

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Events."""


class SecretSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the Secret is, and how it is looked after.

    Attributes:
        namespace: of the control plane.
        use_cacerts: a root that we make is kept in `cacerts` (USE_CACERTS_FOR_SELF_SIGNED_CA).
        check_s: how often the leader looks whether to renew (CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL).
        ca: of roots that we make.
    """

    namespace: str
    use_cacerts: bool = False
    check_s: float = 3600.0
    ca: CaSettings


class _Body(msgspec.Struct, frozen=True):
    """A Secret as it came; undecoded, so that one that cannot be used is told with its reason."""

    data: bytes


async def open_secret_roots(
    client: SecretClient,
    settings: SecretSettings,
    timing: Timing = Timing(),  # noqa: B008 - immutable
) -> SecretRoots:
    """Find the material or make it; an API server that is away is waited for.

    Raises:
        CaError: there is a Secret, and it cannot be used; it is never replaced.
        ApiError: we are not allowed to read or write it.
    """
    place = _Place(client, settings, timing)
    delays = backoff_delays(first_s=0.2, max_s=15.0)
    while True:
        try:
            held = await place.find() or await place.make()
        except (UnreachableError, ApiError) as error:
            if isinstance(error, ApiError) and error.status in _LASTING:
                raise
            _log.warning("authority cannot be read yet, trying again", reason=str(error))
            await timing.sleep(next(delays))
        else:
            _log.info("authority read", secret=held.name, ours=held.ours)
            await place.warn_of_others(held)
            return SecretRoots(place, held)


class _Place:
    """The Secrets that may hold the material, as requests."""

    def __init__(self, client: SecretClient, settings: SecretSettings, timing: Timing) -> None:
        self.client = client
        self.settings = settings
        self.timing = timing

    async def find(self) -> CaSecret | None:
        """The one that counts: an operator's own comes first."""
        return await self.read(PLUGGED_IN_SECRET) or await self.read(CA_SECRET)

    async def read(self, name: str) -> CaSecret | None:
        """The one of that name."""
        try:
            body = await self.client.get(SECRETS.object(self.settings.namespace, name))
        except NotFoundError:
            return None
        return decode_ca_secret(body, at=self.timing.clock.now())

    async def warn_of_others(self, held: CaSecret) -> None:
        """An operator's authority in the place of ours: who has a certificate of ours must not become a stranger."""
        if held.name == CA_SECRET:
            return
        try:
            ours = await self.read(CA_SECRET)
        except (KubeError, CaError):
            return  # it is only about a warning
        if ours is not None and not {*ours.ca.roots.roots} <= {*held.ca.roots.roots}:
            hint = f"add root-cert.pem of {CA_SECRET} to that of {held.name} until all workloads have renewed"
            _log.warning(
                "workloads may still have certificates of an authority that is trusted no more",
                secret=held.name,
                before=CA_SECRET,
                hint=hint,
            )

    async def make(self) -> CaSecret:
        """A new one, or that of another replica that was faster."""
        name = PLUGGED_IN_SECRET if self.settings.use_cacerts else CA_SECRET
        ca = await asyncio.to_thread(new_root, self.settings.ca, self.timing.clock.now())
        try:
            answer = await self.create(name, ca)
        except ConflictError:
            found = await self.find()
            if found is None:
                raise
            return found
        _log.info("authority made", secret=name)
        return decode_ca_secret(answer, at=self.timing.clock.now())

    async def create(self, name: str, ca: SigningCa) -> bytes:
        """POST it."""
        body = encode_ca_secret(ca, namespace=self.settings.namespace, name=name)
        return await self.client.create(SECRETS.collection(self.settings.namespace), body)

    async def replace(self, found: CaSecret, ca: SigningCa) -> bytes:
        """PUT it, on condition that it is as it was found."""
        namespace = self.settings.namespace
        body = encode_ca_secret(ca, namespace=namespace, name=found.name, version=found.version, secret_type=found.type)
        return await self.client.replace(SECRETS.object(namespace, found.name), body)


class SecretRoots:
    """Keeps `roots` level with the Secret. A ``Service``; made by `open_secret_roots`.

    Attributes:
        roots: the material in use.
    """

    name = "authority in a Secret"

    def __init__(self, place: _Place, held: CaSecret) -> None:
        self._place = place
        self._held = held
        self._changed = asyncio.Event()
        self._problems: dict[str, str] = {}  # by Secret: each of the two has its own, and is heard of by itself
        self.roots = CaRoots(place.settings.ca, held.ca, RootOrigin.SECRET)

    @property
    def problem(self) -> str:
        """Why the Secret as it is now is not in use; empty when it is."""
        return "; ".join(self._problems.values())

    async def __aenter__(self) -> Self:
        """Nothing to bind."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Follow the Secret, and the one that may take its place, until cancelled."""
        followed = self._held.name
        async with asyncio.TaskGroup() as group:
            for name in dict.fromkeys((followed, PLUGGED_IN_SECRET)):
                informer = self._informer(name)
                group.create_task(informer.run(), name=informer.name)
                if name == followed:
                    group.create_task(self._miss(informer, name))

    def _informer(self, name: str) -> Informer[_Body]:
        informer = Informer(
            self._place.client,
            SECRETS,
            lambda data: _Body(bytes(data)),
            self._place.timing,
            selection=Selection(namespace=self._place.settings.namespace, fields=f"metadata.name={name}"),
        )
        informer.subscribe(partial(self._on_changes, name))
        return informer

    async def _miss(self, informer: Informer[_Body], name: str) -> None:
        await informer.synced.wait()
        if not len(informer):  # deleted before we looked: no event tells of that
            self._on_deleted(name)

    async def lead(self, fence: Fence) -> None:
        """The leader's part, until cancelled: renew what is ours in time, write again what was deleted."""
        while True:
            self._changed.clear()
            try:
                await self._look_after(fence)
            except (KubeError, CaError) as error:
                _log.error("authority not looked after", reason=str(error))
                await self._place.timing.sleep(min(_AGAIN_S, self._place.settings.check_s))
                continue
            try:
                async with asyncio.timeout(self._place.settings.check_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    # -- following -------------------------------------------------------------------------------------------------

    def _counts(self, name: str) -> bool:
        """Whether a Secret of that name may be the authority; an operator's comes before ours, files before both."""
        in_use = self.roots.origin is RootOrigin.SECRET
        return in_use and name in {self._held.name, PLUGGED_IN_SECRET}

    def _on_changes(self, name: str, changes: Sequence[Change[_Body]]) -> None:
        body = changes[-1].new
        if body is None:
            self._on_deleted(name)
        else:
            self._take(name, body.data)

    def _on_deleted(self, name: str) -> None:
        if not self._counts(name):
            return
        if name != self._held.name:
            self._problems.pop(name, None)  # it was not in use
            return
        self._problems[name] = "the Secret is gone"
        what_next = "the leader writes it again" if self._held.ours else "write it again before the next start"
        _log.error("authority's Secret was deleted; it is still in use", secret=name, what_next=what_next)
        self._changed.set()

    def _take(self, name: str, data: bytes) -> None:
        if not self._counts(name):
            return
        try:
            found = decode_ca_secret(data, at=self._place.timing.clock.now())
            changed = self.roots.adopt(found.ca)
        except CaError as error:
            self._problems[name] = str(error)
            _log.error("authority's Secret cannot be used; the present one stays", secret=name, reason=str(error))
            return
        self._problems.pop(name, None)
        if found.name != self._held.name:
            self._problems.clear()  # the other one does not count any more
        self._held = found
        if changed:
            _log.info("authority changed", secret=found.name, roots=len(found.ca.roots.roots))

    # -- leading ---------------------------------------------------------------------------------------------------

    async def _look_after(self, fence: Fence) -> None:
        if self.roots.origin is not RootOrigin.SECRET:
            return  # an operator's files are in use
        held, now = self._held, self._place.timing.clock.now()
        found = await self._place.read(held.name)
        if not self._counts(held.name):
            return  # another took its place meanwhile
        if found is None and held.ours:  # an operator's own is not ours to write
            async with fence.writing():
                self._take(held.name, await self._place.create(held.name, held.ca))
            _log.warning("authority's Secret was missing and is written again", secret=held.name)
        if found is None or not found.ours:
            return
        fresh = renewed(found.ca, self._place.settings.ca, now)
        if fresh is found.ca:
            return
        try:
            async with fence.writing():
                answer = await self._place.replace(found, fresh)
        except ConflictError:
            self._changed.set()  # somebody else wrote it: look again
            return
        self._take(held.name, answer)
        _log.info("authority's root renewed", until=f"{fresh.valid_until:%Y-%m-%dT%H:%M:%SZ}")
