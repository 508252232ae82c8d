"""The staff pages as Chromium sees them. They stand here because one browser serves all browser tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext

from tests.portal.page_visits import PageVisit, visit_page
from tests.portal.workspace import ACTOR, Workspace

pytestmark = pytest.mark.browser

PAGES = {
    "dashboard": "/staff/",
    "tenants": "/staff/control/tenant/",
    "open": "/staff/control/tenant/add/",
    "tenant": "/staff/control/tenant/{tenant}/change/",
    "regions": "/staff/control/region/",
    "users": "/staff/control/user/",
    "jobs": "/staff/jobs/?region=eu",
    "audit": "/staff/control/auditentry/",
}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}


@pytest.fixture(scope="session")
def staff_user(services: Any) -> Any:
    from tenants.control.actions import create_user

    email = f"staff-{secrets.token_hex(4)}@example.com"
    return create_user(email=email, name="Ada Ops", is_staff=True, actor=ACTOR)


def find_theme_violations(visit: PageVisit, theme: Any) -> list[str]:
    """In the theme as a person of staff chooses it, which stays chosen."""
    visit.page.evaluate("theme => localStorage.setItem('adminTheme', JSON.stringify(theme))", theme)
    visit.page.reload()
    visit.page.wait_for_function(
        "dark => document.documentElement.classList.contains('dark') === dark", arg=theme == "dark"
    )
    visit.page.evaluate("() => Promise.allSettled(document.getAnimations().map((one) => one.finished))")
    visit.page.evaluate(Axe().axe_script)
    results = visit.page.evaluate("o => axe.run(o)", RULES)["violations"]
    return [f"{theme} {violation['id']}: {violation['nodes'][0]['html'][:160]}" for violation in results]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("name", PAGES)
def test_a_staff_page_is_accessible_quiet_and_asks_nobody_outside(
    lively: Workspace, staff_user: Any, signed_in: Callable[..., BrowserContext], name: str, language: str
) -> None:
    visit = visit_page(signed_in(staff_user, language=language), PAGES[name].format(tenant=lively.ref.id))
    violations = []
    for theme in ("light", "dark"):
        violations += find_theme_violations(visit, theme)
        visit.save_screenshot(f"staff-{name}-{language}-{theme}")
    external_requests, errors = visit.external_requests, visit.console_errors
    visit.page.close()
    assert (violations, external_requests, errors) == ([], [], [])


@pytest.mark.parametrize("name", ["dashboard", "tenants", "tenant", "jobs"])
def test_a_staff_page_fits_a_telephone(
    lively: Workspace, staff_user: Any, signed_in: Callable[..., BrowserContext], name: str
) -> None:
    context = signed_in(staff_user, width=390, language="zh-hans")
    visit = visit_page(context, PAGES[name].format(tenant=lively.ref.id))
    visit.save_screenshot(f"staff-{name}-mobile")
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    visit.page.close()
    assert wide <= 390


def test_suspending_asks_in_a_dialog_and_says_what_was_done(
    shop: Workspace, staff_user: Any, signed_in: Callable[..., BrowserContext]
) -> None:
    page = visit_page(signed_in(staff_user), f"/staff/control/tenant/{shop.ref.id}/change/").page
    page.click("text=Suspend")
    page.fill("#dialog input[name=reason]", "Invoice 7")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("text=Done.")
    offered = page.locator("text=Resume").count()
    logged = page.locator("text=Invoice 7").count()
    page.close()
    assert (offered > 0, logged) == (True, 1)
