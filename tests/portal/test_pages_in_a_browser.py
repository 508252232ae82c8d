from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from tests.portal.page_visits import visit_page
from tests.portal.workspace import Workspace

pytestmark = pytest.mark.browser

PAGES = {
    "overview": "overview/",
    "catalogue": "catalogue/",
    "catalogue-table": "catalogue/?view=table",
    "item": "catalogue/item/?id=sku-3",
    "import": "catalogue/import/",
    "models": "models/",
    "model": "models/v2/",
    "preview": "preview/",
    "reports": "reports/",
    "privacy": "privacy/",
    "keys": "keys/",
    "members": "members/",
    "audit": "audit/",
    "missing": "nothing-here/",
}
LANGUAGES = ["en", "zh-hans"]
Browser = Callable[..., BrowserContext]


def _check_page(context: BrowserContext, path: str, picture: str, expected_errors: int = 0) -> None:
    """Checks accessibility, external requests and console errors in the light and the dark theme."""
    visit = visit_page(context, path)
    try:
        violations = []
        for theme in ("light", "dark"):
            visit.choose_theme(theme)
            visit.save_screenshot(f"{picture}-{theme}")
            violations += visit.find_violations()
        assert violations == []
        assert visit.external_requests == []
        assert len(visit.console_errors) == expected_errors, visit.console_errors
    finally:
        visit.page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_quiet_and_asks_nobody_outside(
    lively: Workspace, signed_in: Browser, name: str, language: str
) -> None:
    context = signed_in(lively.owner, language=language)
    path = f"/t/{lively.slug}/{PAGES[name]}"
    _check_page(context, path, f"{name}-{language}", expected_errors=int(name == "missing"))


@pytest.mark.parametrize("name", ["overview", "catalogue", "models", "preview", "reports", "keys"])
def test_an_empty_page_is_accessible_and_asks_nobody_outside(
    bare: Workspace, signed_in: Browser, name: str
) -> None:
    _check_page(signed_in(bare.owner), f"/t/{bare.slug}/{PAGES[name]}", f"{name}-empty")


@pytest.mark.parametrize("name", ["overview", "catalogue", "models", "preview", "reports", "keys", "members"])
def test_a_page_fits_a_telephone(lively: Workspace, signed_in: Browser, name: str) -> None:
    visit = visit_page(
        signed_in(lively.owner, width=390, language="zh-hans"), f"/t/{lively.slug}/{PAGES[name]}"
    )
    visit.save_screenshot(f"{name}-mobile")
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    visit.page.close()
    assert wide <= 390


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/account/login/", "/account/password/reset/"])
def test_the_way_in_is_accessible_and_asks_nobody_outside(
    signed_in: Browser, path: str, language: str
) -> None:
    _check_page(signed_in(None, language=language), path, f"{path.strip('/').replace('/', '-')}-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/account/2fa/", "/account/password/change/"])
def test_the_account_pages_are_accessible(
    lively: Workspace, signed_in: Browser, path: str, language: str
) -> None:
    name = path.strip("/").replace("/", "-")
    _check_page(signed_in(lively.owner, language=language), path, f"{name}-{language}")
