"""Why the control plane has no CA to sign with."""

from __future__ import annotations

from certs.errors import CaError

__all__ = ["RootReplacedError"]


class RootReplacedError(CaError):
    """New signing material shares no root with the one in use, so that every workload would distrust every other."""
