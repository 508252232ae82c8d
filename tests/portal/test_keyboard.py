from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.portal.page_visits import visit_page
from tests.portal.workspace import Workspace

pytestmark = pytest.mark.browser
Browser = Callable[..., BrowserContext]


def test_the_first_tab_leads_past_the_navigation(lively: Workspace, signed_in: Browser) -> None:
    page = visit_page(signed_in(lively.owner), lively.page()).page
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


def test_the_palette_goes_to_a_page_by_keyboard_alone(lively: Workspace, signed_in: Browser) -> None:
    visit = visit_page(signed_in(lively.owner), lively.page())
    page = visit.page
    page.keyboard.press("Control+k")
    expect(page.locator("dialog.palette")).to_be_visible()
    assert visit.find_violations() == []
    page.keyboard.type("privacy")
    expect(page.locator('dialog.palette [role="option"][aria-selected="true"]')).to_have_text("Privacy")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/privacy/$"))
    assert visit.console_errors == []
    page.close()


def test_the_palette_goes_to_an_item(lively: Workspace, signed_in: Browser) -> None:
    page = visit_page(signed_in(lively.owner), lively.page()).page
    page.keyboard.press("Control+k")
    page.keyboard.type("pour-over set 9")
    expect(page.locator("#palette-results [role=option]")).to_have_count(1)
    expect(page.locator('#palette-results [aria-selected="true"]')).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("id=sku-9$"))
    page.close()


def test_the_palette_closes_with_escape_and_gives_the_focus_back(
    lively: Workspace, signed_in: Browser
) -> None:
    page = visit_page(signed_in(lively.owner), lively.page()).page
    page.locator("button[aria-haspopup=dialog]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog.palette")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.palette")).to_be_hidden()
    assert page.evaluate("document.activeElement.getAttribute('aria-haspopup')") == "dialog"
    page.close()


def test_the_theme_is_chosen_by_keyboard_and_kept(lively: Workspace, signed_in: Browser) -> None:
    page = visit_page(signed_in(lively.owner, width=1280), lively.page("privacy")).page
    page.locator("summary[aria-label=Theme]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("button[value=dark]")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Dark")
    page.keyboard.press("Enter")
    expect(page.locator("html.dark")).to_have_count(1)
    page.reload()
    assert page.evaluate("document.documentElement.classList.contains('dark')")
    page.close()


def test_the_language_is_switched_and_stays(bare: Workspace, signed_in: Browser) -> None:
    page = visit_page(signed_in(bare.owner, width=1280), bare.page("privacy")).page
    page.locator("summary[aria-label=Language]").click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("h1")).to_have_text("隐私")
    assert page.evaluate("document.documentElement.lang") == "zh-hans"
    page.close()


def test_a_dialog_opens_holds_the_focus_and_closes(lively: Workspace, signed_in: Browser) -> None:
    visit = visit_page(signed_in(lively.owner), lively.page("keys"))
    visit.page.get_by_role("button", name="New key").click()
    dialog = visit.page.locator("#new-key")
    expect(dialog).to_be_visible()
    assert visit.find_violations() == []
    visit.save_screenshot("keys-dialog")
    visit.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    visit.page.close()


def test_the_navigation_of_a_telephone_opens_and_closes(lively: Workspace, signed_in: Browser) -> None:
    visit = visit_page(signed_in(lively.owner, width=390), lively.page())
    expect(visit.page.locator("#sidebar")).to_be_hidden()
    visit.page.get_by_role("button", name="Open navigation").click()
    expect(visit.page.locator("#sidebar")).to_be_visible()
    visit.save_screenshot("navigation-mobile")
    assert visit.find_violations() == []
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("#sidebar")).to_be_hidden()
    visit.page.close()


def test_a_search_refreshes_the_list_in_place(lively: Workspace, signed_in: Browser) -> None:
    visit = visit_page(signed_in(lively.owner), lively.page("catalogue"))
    visit.page.locator("#q").fill("desk lamp")
    expect(visit.page.locator("#items li")).to_have_count(4)
    assert visit.console_errors == []
    visit.page.close()


def test_the_preview_answers_in_place(lively: Workspace, signed_in: Browser) -> None:
    visit = visit_page(signed_in(lively.owner, language="zh-hans"), lively.page("preview"))
    visit.page.locator("#id_session").fill("sku-1, sku-5")
    visit.page.locator("#main form button").click()
    expect(visit.page.locator("#answer li.flex")).to_have_count(12)
    visit.save_screenshot("preview-answer")
    assert visit.find_violations() == []
    assert visit.console_errors == []
    visit.page.close()


def test_a_person_signs_in_with_a_password(chromium: object, site: str, signed_in: Browser) -> None:
    from tests.portal.workspace import PASSWORD, new_user

    user = new_user("Grace", PASSWORD)
    page = visit_page(signed_in(None, width=1024), "/sign-in/").page
    page.fill("input[name=login]", user.email)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("You are not a member of a workspace yet")
    page.close()
