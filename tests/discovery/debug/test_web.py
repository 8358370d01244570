"""The page in a browser, where there is one; what can be checked without one is in `test_server`."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from discovery.wire.type_urls import LISTENER
from tests.kit.ctl import serving_debug
from tests.kit.debug_world import DebugWorld

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BROWSER: Final = shutil.which("chromium") or shutil.which("chromium-browser") or ""
PAGE: Final = Path(__file__).parents[3] / "discovery" / "debug" / "web"


def walk(address: str) -> tuple[list[str], list[str]]:
    """What the page shows on the way from a proxy to the file that a resource came from; and its complaints."""
    sync_playwright: Any = importlib.import_module("playwright.sync_api").sync_playwright  # not a dependency

    seen: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=list(FLAGS))
        page: Any = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.set_default_timeout(10_000)
        page.goto(f"{address}/debug")
        for click in (
            None,
            "text=web-1.shop",
            "text=outbound|80||web.shop.svc.cluster.local",
            "nav >> text=Services",
            "text=web.shop.svc.cluster.local",
            "nav >> text=Problems",
            "nav >> text=Configuration",
            "nav >> text=Endpoints",
        ):
            if click is not None:
                before = page.inner_text("main")
                page.click(click)
                page.wait_for_function("before => document.querySelector('main').innerText !== before", arg=before)
            page.wait_for_selector("main:not(.faded) >> h1")
            seen.append(page.inner_text("main"))
        browser.close()
    return seen, complaints


def test_from_a_proxy_to_the_line_in_a_file() -> None:
    """Every view shows its content, and the browser has nothing to complain about, its security policy included."""
    assert (PAGE / "index.html").is_file()
    if not BROWSER or importlib.util.find_spec("playwright") is None:
        return  # nothing to drive it with; `test_server` has checked what can be checked of the text
    world = DebugWorld()
    world.connect(rejects=[LISTENER])
    with pytest.MonkeyPatch.context() as patch, serving_debug(world) as address:
        patch.setenv("NO_PROXY", "127.0.0.1")
        seen, complaints = walk(address)
    assert complaints == []
    proxies, clusters, resource, _, service, problems, configuration, endpoints = seen
    assert "error" in proxies
    assert "outbound|80||web.shop.svc.cluster.local" in clusters
    assert "mesh.yaml:4" in resource
    assert "spec.trafficPolicy.connectionPool.tcp.maxConnections" in resource
    assert "10.2.0.1:8080" in service
    assert "no such filter" in problems
    assert "PeerAuthentication shop/default" in configuration
    assert "/debug/explain" in endpoints
