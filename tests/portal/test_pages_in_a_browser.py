from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from tests.portal.looking import look
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


def _judge(context: BrowserContext, path: str, picture: str, expected_errors: int = 0) -> None:
    """In light, then in dark."""
    seen = look(context, path)
    try:
        found = []
        for theme in ("light", "dark"):
            seen.choose(theme)
            seen.picture(f"{picture}-{theme}")
            found += seen.violations()
        assert found == []
        assert seen.outside == []
        assert len(seen.errors) == expected_errors, seen.errors
    finally:
        seen.page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_quiet_and_asks_nobody_outside(
    lively: Workspace, signed_in: Browser, name: str, language: str
) -> None:
    context = signed_in(lively.owner, language=language)
    path = f"/t/{lively.slug}/{PAGES[name]}"
    _judge(context, path, f"{name}-{language}", expected_errors=int(name == "missing"))


@pytest.mark.parametrize("name", ["overview", "catalogue", "models", "preview", "reports", "keys"])
def test_an_empty_page_is_accessible_and_asks_nobody_outside(
    bare: Workspace, signed_in: Browser, name: str
) -> None:
    _judge(signed_in(bare.owner), f"/t/{bare.slug}/{PAGES[name]}", f"{name}-empty")


@pytest.mark.parametrize("name", ["overview", "catalogue", "models", "preview", "reports", "keys", "members"])
def test_a_page_fits_a_telephone(lively: Workspace, signed_in: Browser, name: str) -> None:
    seen = look(signed_in(lively.owner, width=390, language="zh-hans"), f"/t/{lively.slug}/{PAGES[name]}")
    seen.picture(f"{name}-mobile")
    wide = seen.page.evaluate("document.documentElement.scrollWidth")
    seen.page.close()
    assert wide <= 390


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/account/login/", "/account/password/reset/"])
def test_the_way_in_is_accessible_and_asks_nobody_outside(
    signed_in: Browser, path: str, language: str
) -> None:
    _judge(signed_in(None, language=language), path, f"{path.strip('/').replace('/', '-')}-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/account/2fa/", "/account/password/change/"])
def test_the_account_pages_are_accessible(
    lively: Workspace, signed_in: Browser, path: str, language: str
) -> None:
    name = path.strip("/").replace("/", "-")
    _judge(signed_in(lively.owner, language=language), path, f"{name}-{language}")
