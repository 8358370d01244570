"""The mesh's certificate authority: where its roots come from, what it grants to whom, and its gRPC service."""

from discovery.ca.metrics import CaMetrics
from discovery.ca.policy import CaPolicy
from discovery.ca.roots import CaRoots, CaSettings
from discovery.ca.server import CertificateService

__all__ = ["CaMetrics", "CaPolicy", "CaRoots", "CaSettings", "CertificateService"]
