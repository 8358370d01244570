"""One program for the four services of bookinfo: it says who it is and who called it, and asks the services below it.

It knows nothing of the mesh. It listens on an address, calls others through one address (its sidecar's) with their name
as ``Host``, and repeats the header in which the sidecar says whose certificate the caller had. The answers nest, so the
outermost one shows every hop:

    {"name": "productpage", "version": "v1", "caller": "spiffe://...", "calls": [{"name": "details", ...}, ...]}

    python -m examples.apps.bookinfo --name productpage --listen 127.0.0.1:8080 \
        --through 127.0.0.1:9080 --call details:9080 --call reviews:9080
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

__all__ = ["Application", "Options", "caller_of", "main"]

PASSED_ON: Final = ("end-user", "x-request-id")
"""Headers of a request that belong to all the calls it causes: who asks, and which trace this is."""

_TIMEOUT_S: Final = 10.0
_URI: Final = re.compile(r'(?:^|[;,])URI=([^;,"]*)', re.IGNORECASE)


class Options(NamedTuple):
    """Who the application is and whom it calls."""

    name: str
    version: str = "v1"
    listen: tuple[str, int] = ("127.0.0.1", 0)
    through: tuple[str, int] = ("127.0.0.1", 0)
    calls: tuple[str, ...] = ()


def caller_of(forwarded_client_certificate: str) -> str:
    """The SPIFFE id of the immediate caller: what the last proxy on the way, our own sidecar, wrote; empty: nobody.

    Spec: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
    """
    found: list[str] = _URI.findall(forwarded_client_certificate)
    return found[-1] if found else ""


class Application(ThreadingHTTPServer):
    """Serves ``Options``; ``server_port`` is the real port."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options: Options) -> None:
        super().__init__(options.listen, _Handler)
        self.options = options
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="call")

    def answer(self, headers: Message) -> tuple[int, dict[str, Any]]:
        """Status and body of one answer; 502 if a service that was asked did not answer."""
        options = self.options
        calls = list(self._pool.map(lambda host: self._ask(host, headers), options.calls))
        body: dict[str, Any] = {
            "name": options.name,
            "version": options.version,
            "caller": caller_of(headers.get("x-forwarded-client-cert", "")),
            "calls": calls,
        }
        return (502 if any("error" in call for call in calls) else 200), body

    def _ask(self, host: str, headers: Message) -> dict[str, Any]:
        """What a service answers, or ``{"name", "error"}``."""
        connection = http.client.HTTPConnection(*self.options.through, timeout=_TIMEOUT_S)
        passed_on = {name: str(headers[name]) for name in PASSED_ON if name in headers}
        try:
            connection.request("GET", "/", headers={"Host": host, **passed_on})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return {"name": host, "error": f"{type(error).__name__}: {error}"}
        finally:
            connection.close()
        if response.status != 200:
            return {"name": host, "error": f"{response.status} {text[:200].strip()}"}
        body: dict[str, Any] = json.loads(text)
        return body


class _Handler(BaseHTTPRequestHandler):
    server: Application
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: two small writes would wait for the peer's delayed ACK
    timeout = 60

    def do_GET(self) -> None:
        status, body = self.server.answer(self.headers)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of answered requests; the sidecar's statistics count them."""


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def parse_options(argv: Sequence[str] | None = None) -> Options:
    """Read the command line; it exits with a usage message if that cannot be read."""
    parser = argparse.ArgumentParser(prog="bookinfo", description="One service of the bookinfo example.")
    parser.add_argument("--name", required=True, help="which service it is")
    parser.add_argument("--version", default="v1", help="which version of it")
    parser.add_argument("--listen", type=_address, required=True, metavar="HOST:PORT", help="where to serve")
    parser.add_argument(
        "--through", type=_address, default=("127.0.0.1", 9080), metavar="HOST:PORT", help="where all calls go"
    )
    parser.add_argument("--call", action="append", default=[], metavar="HOST", help="a service to ask; repeatable")
    given = parser.parse_args(argv)
    return Options(given.name, given.version, given.listen, given.through, tuple(given.call))


def main() -> None:
    """Serve until killed."""
    with Application(parse_options()) as application:
        application.serve_forever()


if __name__ == "__main__":
    main()
