"""What must happen before anything else is imported, so that an agent stays small.

asyncio imports OpenSSL if it is there: 5 MB of memory in a process whose TLS is all done by gRPC and Envoy. asyncio
works in Pythons that are built without it; here it is told that this is one. Afterwards ``ssl`` can be imported as ever
(HTTPS probes do), only asyncio's own TLS stays off.
"""

from __future__ import annotations

import importlib
import sys

__all__ = ["import_asyncio_without_ssl"]


def import_asyncio_without_ssl() -> bool:
    """Import asyncio; whether that was done without OpenSSL, which it is not where either was imported before."""
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return False
    sys.modules["ssl"] = None  # type: ignore[assignment]  # documented: makes its import fail
    try:
        importlib.import_module("asyncio")
    finally:
        del sys.modules["ssl"]
    return True
