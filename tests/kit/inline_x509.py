"""X.509 without a process: the same operations, called directly."""

from __future__ import annotations

from agent.x509.client import X509
from agent.x509.messages import MakeKey
from agent.x509.operations import answer

__all__ = ["P256_KEY", "inline_x509"]

P256_KEY = MakeKey(
    identity="spiffe://cluster.local/ns/default/sa/app", kind="P256", rsa_bits=2048, key_format="traditional"
)


def inline_x509() -> X509:
    """Answers within the call."""

    async def exchange(question: bytes) -> bytes:
        return answer(question)

    return X509(exchange)
