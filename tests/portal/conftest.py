from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from lepton_platform.embedded.services import EmbeddedServices
from tests.conftest import ROOT
from tests.quality.chromium import executable

if TYPE_CHECKING:
    from tests.portal.workspace import Workspace

# Playwright's synchronous interface keeps an event loop in this thread; Django would refuse to query there.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def lively(services: EmbeddedServices) -> Workspace:
    """A furnished workspace. Tests look at it; the ones that change things open their own."""
    from tests.portal.workspace import furnish, open_workspace

    workspace = open_workspace()
    furnish(workspace)
    return workspace


@pytest.fixture(scope="session")
def bare(services: EmbeddedServices) -> Workspace:
    """A workspace in which nothing has happened yet."""
    from tests.portal.workspace import open_workspace

    return open_workspace("Empty Books")


@pytest.fixture
def shop(database: None) -> Workspace:
    """A workspace of the test's own, with items and events."""
    from tenants.data.actions import catalog, events
    from tenants.scope import scope
    from tests.portal.workspace import ACTOR, items, open_workspace, visits

    workspace = open_workspace()
    with scope(workspace.ref, actor=ACTOR) as s:
        catalog.upsert_items(s, items(12))
        events.record_events(s, visits(12))
    return workspace


@pytest.fixture
def owner(shop: Workspace) -> Any:
    from tests.portal.workspace import browser

    return browser(shop.owner)


@pytest.fixture
def stranger(bare: Workspace) -> Any:
    """Signed in, and a member of another workspace."""
    from tests.portal.workspace import browser

    return browser(bare.owner)


@pytest.fixture(scope="session")
def site(services: EmbeddedServices) -> Iterator[str]:
    """The address of the platform, served as in production."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(
        [*command, "lepton_platform.wsgi:application"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    _wait_for(f"{address}/healthz", server)
    yield address
    server.terminate()
    server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError("The server did not start.")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in(chromium: Browser, site: str) -> Iterator[Callable[..., BrowserContext]]:
    """`signed_in(user, language="zh-hans", width=390)`; the same browser for the same wishes."""
    from tests.portal.workspace import session_of

    contexts: dict[tuple[object, ...], BrowserContext] = {}

    def open_context(user: Any, *, language: str = "en", width: int = 1440) -> BrowserContext:
        wishes = (user and user.pk, language, width)
        if wishes not in contexts:
            context = chromium.new_context(
                viewport={"width": width, "height": 900}, base_url=site, reduced_motion="reduce"
            )
            cookies = {"django_language": language, **({"sessionid": session_of(user)} if user else {})}
            context.add_cookies(
                [{"name": name, "value": value, "url": site} for name, value in cookies.items()]
            )
            contexts[wishes] = context
        return contexts[wishes]

    yield open_context
    for context in contexts.values():
        context.close()
