"""Visits of a page in Chromium, with the requests and console errors that it caused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.conftest import ROOT

SCREENSHOTS = ROOT / "screenshots"


@dataclass
class PageVisit:
    """An open page. Refusals of the content security policy are among the console errors."""

    page: Page
    requested_urls: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)

    @property
    def external_requests(self) -> list[str]:
        """Requests to other hosts than the platform's."""
        site = "/".join(self.page.url.split("/")[:3]) + "/"
        return [url for url in self.requested_urls if not url.startswith((site, "data:", "blob:"))]

    def choose_theme(self, theme: str) -> None:
        """Switches the theme and waits for the end of the colour transitions."""
        self.page.evaluate("theme => leptonTheme.choose(theme)", theme)
        self.page.evaluate("() => Promise.allSettled(document.getAnimations().map((one) => one.finished))")

    def find_violations(self) -> list[str]:
        """Returns the accessibility rules that axe finds violated, with the first element of each."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(Axe().axe_script)
        options = {"resultTypes": ["violations"]}
        results: list[dict[str, Any]] = self.page.evaluate("o => axe.run(o)", options)["violations"]
        return [f"{violation['id']}: {violation['nodes'][0]['html'][:160]}" for violation in results]

    def save_screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def visit_page(context: BrowserContext, path: str) -> PageVisit:
    """Opens a page and waits until fonts and charts are drawn."""
    page = context.new_page()
    visit = PageVisit(page)
    page.on("request", lambda request: visit.requested_urls.append(request.url))
    page.on(
        "console",
        lambda message: message.type in {"error", "warning"} and visit.console_errors.append(message.text),
    )
    page.on("pageerror", lambda error: visit.console_errors.append(str(error)))
    page.goto(path)
    page.evaluate("document.fonts.ready")
    if page.locator("[data-chart]").count():
        page.wait_for_selector("html[data-charts=ready]")
    return visit
