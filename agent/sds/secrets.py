"""The owner of all secrets: says for each source where it comes from, and who is told when it changes.

Order of sources for the workload's own: files, then the certificate in use, then the CA.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from agent.sds.errors import SecretError
from agent.sds.file_secrets import FileSecrets
from agent.sds.files import WorkloadFiles
from agent.sds.metrics import SecretMetrics
from agent.sds.names import FilePair, SecretSource, Workload, WorkloadRoots
from agent.sds.output import CHAIN_FILE, KEY_FILE, ROOT_FILE, CertificateOutput
from agent.sds.resources import KeyCertificate, Roots, SecretValue
from agent.sds.workload import IssueOptions, Signer, WorkloadCertificate
from agent.x509.client import X509
from certs.files import FileMode
from discovery.runtime.clock import Clock

__all__ = ["SecretOptions", "Secrets"]


class SecretOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where secrets come from and go to.

    Attributes:
        issue: what to ask a CA for; None if no CA is to be asked.
        files: the workload's identity, if it lies in files.
        output_dir: where certificates are written for others; None for nowhere.
        output_mode: who may read them.
        file_debounce_s: before a pair of files that does not match is read again.
    """

    issue: IssueOptions | None = None
    files: WorkloadFiles | None = None
    output_dir: Path | None = None
    output_mode: FileMode = FileMode.PRIVATE
    file_debounce_s: float = 0.1

    @property
    def own_files(self) -> WorkloadFiles | None:
        """The identity in files, unless those are our own output: reading it back would end its renewal."""
        files = self.files
        if files is None or (self.output_dir is not None and files.chain.parent.resolve() == self.output_dir.resolve()):
            return None
        return files


class Secrets:
    """The secrets as a service of the agent (``discovery.runtime.supervise.Service``).

    Args:
        options: where they come from.
        signer: the CA; None where files are all there is.
        x509: makes keys, judges certificates.
        clock: tells expiry.
        metrics: counts failures, shows the time left.
        sleep: how waiting is done.
        chance: uniform in [0, 1), spreads renewals over a fleet.
    """

    name = "secrets"

    def __init__(  # noqa: PLR0913 - two of them are what tests replace
        self,
        options: SecretOptions,
        *,
        signer: Signer | None,
        x509: X509,
        clock: Clock,
        metrics: SecretMetrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._listeners: dict[object, Callable[[SecretSource], None]] = {}
        self._own_files = options.own_files
        self._output = CertificateOutput(options.output_dir, options.output_mode)
        self._files = FileSecrets(
            self._announce, x509=x509, metrics=metrics, first_delay_s=options.file_debounce_s, sleep=sleep
        )
        self._issued: WorkloadCertificate | None = None
        if self._own_files is None and signer is not None and options.issue is not None:
            self._issued = WorkloadCertificate(
                options.issue,
                signer,
                x509=x509,
                announce=self._announce,
                output=self._output,
                clock=clock,
                sleep=sleep,
                chance=chance,
            )
        metrics.seconds_to_expiry = self._seconds_to_expiry

    async def __aenter__(self) -> Self:
        """Nothing is bound."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Keep the certificate fresh and the files watched until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._files.run())
            if self._issued is not None:
                group.create_task(self._issued.run())

    async def get(self, source: SecretSource) -> SecretValue:
        """The present value of a secret. Without a valid certificate of the workload, the next one that is issued.

        Raises:
            SecretError: files stay unusable, or the CA did not issue it.
        """
        if isinstance(source, Workload):
            return await self._pair()
        if isinstance(source, WorkloadRoots):
            return await self._roots()
        return await self._files.get(source)

    @contextmanager
    def subscribed(self, listener: Callable[[SecretSource], None]) -> Iterator[None]:
        """Tell ``listener`` of each source with a new value while the block runs. It must not block."""
        token = object()
        self._listeners[token] = listener
        try:
            yield
        finally:
            del self._listeners[token]

    async def set_trust_anchors(self, anchors: bytes) -> None:
        """Trust these PEM roots besides those of the CA; nothing happens where the roots lie in files.

        Raises:
            CertsError: they hold no usable certificate; the old ones stay.
        """
        if self._issued is not None:
            await self._issued.set_trust_anchors(anchors)

    async def _pair(self) -> KeyCertificate:
        if self._own_files is None:
            return await self._require_issued().pair()
        files = self._own_files
        pair = await self._files.pair(Workload(), FilePair(files.chain, files.key))
        await self._output.write({KEY_FILE: pair.key, CHAIN_FILE: pair.chain})
        return pair

    async def _roots(self) -> Roots:
        if self._own_files is None:
            return await self._require_issued().roots()
        roots = await self._files.roots(WorkloadRoots(), self._own_files.root)
        await self._output.write({ROOT_FILE: roots.pem})
        return roots

    def _require_issued(self) -> WorkloadCertificate:
        if self._issued is None:
            raise SecretError(
                "ca client is nil: no CA is configured and no files hold the workload's certificate; "
                "with FILE_MOUNTED_CERTS the configuration must name files (file-cert:, file-root:)"
            )
        return self._issued

    def _announce(self, source: SecretSource) -> None:
        for listener in tuple(self._listeners.values()):
            listener(source)

    def _seconds_to_expiry(self) -> float | None:
        return None if self._issued is None else self._issued.seconds_to_expiry
