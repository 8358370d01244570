"""What a running agent does not carry with it."""

from __future__ import annotations

import subprocess
import sys

from agent.lean import import_asyncio_without_ssl

# Each costs megabytes in every pod. What they are for is done otherwise: see agent.x509, agent.metrics, plain_logs.
FORBIDDEN = (
    "aiohttp",
    "cryptography",
    "google.protobuf",
    "http.client",
    "kubernetes",
    "multiprocessing",
    "prometheus_client",
    "ssl",
    "structlog",
    "yaml",
)
LOADED_BY_AN_AGENT = """
import sys
from agent.lean import import_asyncio_without_ssl
assert import_asyncio_without_ssl()
import agent.cli, agent.app, grpc.aio
print("\\n".join(sys.modules))
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout


def test_an_agent_imports_only_what_it_must() -> None:
    """Command line and composition root together load none of the large libraries."""
    loaded = run(LOADED_BY_AN_AGENT).split()
    assert "agent.app" in loaded
    found = [name for name in loaded if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN)]
    assert found == []


def test_ssl_can_still_be_imported_later() -> None:
    """Only asyncio goes without; HTTPS probes need it."""
    code = (
        "from agent.lean import import_asyncio_without_ssl as f; f(); import asyncio, ssl; print(ssl.OPENSSL_VERSION)"
    )
    assert "SSL" in run(code)


def test_too_late_is_told() -> None:
    """Where asyncio is there already nothing is done."""
    assert import_asyncio_without_ssl() is False
    import ssl

    assert ssl.OPENSSL_VERSION
