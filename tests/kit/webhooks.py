"""An authority for the webhooks' serving certificate."""

from __future__ import annotations

from datetime import UTC, datetime

from discovery.front.service import ServingCertificate
from tests.kit.mesh_ca import MeshCa

__all__ = ["WebhookCa"]


class WebhookCa:
    """Makes certificates for the webhooks' usual name; with `broken`, keys that do not fit."""

    def __init__(self) -> None:
        self._ca = MeshCa(datetime.now(UTC))
        self.broken = False

    @property
    def roots_pem(self) -> str:
        """What a client trusts."""
        return self._ca.root_pem.decode()

    def certificate(self) -> ServingCertificate:
        """A new one."""
        pair = self._ca.pair(dns="istiod.istio-system.svc")
        key = self._ca.pair().key if self.broken else pair.key
        return ServingCertificate(pair.chain.decode() + self.roots_pem, key.decode(), self.roots_pem)
