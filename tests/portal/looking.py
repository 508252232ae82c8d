"""What a page did while it was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.conftest import ROOT

PICTURES = ROOT / "screenshots"


@dataclass
class Look:
    """What was asked for, and errors on the console (refusals of the content policy are among them)."""

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def outside(self) -> list[str]:
        """Requests to anybody but the platform itself."""
        here = "/".join(self.page.url.split("/")[:3]) + "/"
        return [url for url in self.asked if not url.startswith((here, "data:", "blob:"))]

    def choose(self, theme: str) -> None:
        """Switches the theme and waits until the colours have arrived."""
        self.page.evaluate("theme => leptonTheme.choose(theme)", theme)
        self.page.evaluate("() => Promise.allSettled(document.getAnimations().map((one) => one.finished))")

    def violations(self) -> list[str]:
        """What axe objects to, with the first element of each."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(Axe().axe_script)
        options = {"resultTypes": ["violations"]}
        found: list[dict[str, Any]] = self.page.evaluate("o => axe.run(o)", options)["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found]

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def look(context: BrowserContext, path: str) -> Look:
    """Opens a page and waits until it is quiet."""
    page = context.new_page()
    seen = Look(page)
    page.on("request", lambda request: seen.asked.append(request.url))
    page.on(
        "console", lambda message: message.type in {"error", "warning"} and seen.errors.append(message.text)
    )
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.goto(path)
    page.evaluate("document.fonts.ready")
    if page.locator("[data-chart]").count():
        page.wait_for_selector("html[data-charts=ready]")
    return seen
