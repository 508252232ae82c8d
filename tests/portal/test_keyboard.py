from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.portal.looking import look
from tests.portal.workspace import Workspace

pytestmark = pytest.mark.browser
Browser = Callable[..., BrowserContext]


def test_the_first_tab_leads_past_the_navigation(lively: Workspace, signed_in: Browser) -> None:
    page = look(signed_in(lively.owner), lively.page()).page
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


def test_the_palette_goes_to_a_page_by_keyboard_alone(lively: Workspace, signed_in: Browser) -> None:
    seen = look(signed_in(lively.owner), lively.page())
    page = seen.page
    page.keyboard.press("Control+k")
    expect(page.locator("dialog.palette")).to_be_visible()
    assert seen.violations() == []
    page.keyboard.type("privacy")
    expect(page.locator('dialog.palette [role="option"][aria-selected="true"]')).to_have_text("Privacy")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/privacy/$"))
    assert seen.errors == []
    page.close()


def test_the_palette_goes_to_an_item(lively: Workspace, signed_in: Browser) -> None:
    page = look(signed_in(lively.owner), lively.page()).page
    page.keyboard.press("Control+k")
    page.keyboard.type("pour-over set 9")
    expect(page.locator("#palette-found [role=option]")).to_have_count(1)
    expect(page.locator('#palette-found [aria-selected="true"]')).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("id=sku-9$"))
    page.close()


def test_the_palette_closes_with_escape_and_gives_the_focus_back(
    lively: Workspace, signed_in: Browser
) -> None:
    page = look(signed_in(lively.owner), lively.page()).page
    page.locator("button[aria-haspopup=dialog]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog.palette")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.palette")).to_be_hidden()
    assert page.evaluate("document.activeElement.getAttribute('aria-haspopup')") == "dialog"
    page.close()


def test_the_theme_is_chosen_by_keyboard_and_kept(lively: Workspace, signed_in: Browser) -> None:
    page = look(signed_in(lively.owner, width=1280), lively.page("privacy")).page
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
    page = look(signed_in(bare.owner, width=1280), bare.page("privacy")).page
    page.locator("summary[aria-label=Language]").click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("h1")).to_have_text("隐私")
    assert page.evaluate("document.documentElement.lang") == "zh-hans"
    page.close()


def test_a_dialog_opens_holds_the_focus_and_closes(lively: Workspace, signed_in: Browser) -> None:
    seen = look(signed_in(lively.owner), lively.page("keys"))
    seen.page.get_by_role("button", name="New key").click()
    dialog = seen.page.locator("#new-key")
    expect(dialog).to_be_visible()
    assert seen.violations() == []
    seen.picture("keys-dialog")
    seen.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    seen.page.close()


def test_the_navigation_of_a_telephone_opens_and_closes(lively: Workspace, signed_in: Browser) -> None:
    seen = look(signed_in(lively.owner, width=390), lively.page())
    expect(seen.page.locator("#sidebar")).to_be_hidden()
    seen.page.get_by_role("button", name="Open navigation").click()
    expect(seen.page.locator("#sidebar")).to_be_visible()
    seen.picture("navigation-mobile")
    assert seen.violations() == []
    seen.page.keyboard.press("Escape")
    expect(seen.page.locator("#sidebar")).to_be_hidden()
    seen.page.close()


def test_a_search_refreshes_the_list_in_place(lively: Workspace, signed_in: Browser) -> None:
    seen = look(signed_in(lively.owner), lively.page("catalogue"))
    seen.page.locator("#q").fill("desk lamp")
    expect(seen.page.locator("#items li")).to_have_count(4)
    assert seen.errors == []
    seen.page.close()


def test_the_preview_answers_in_place(lively: Workspace, signed_in: Browser) -> None:
    seen = look(signed_in(lively.owner, language="zh-hans"), lively.page("preview"))
    seen.page.locator("#id_session").fill("sku-1, sku-5")
    seen.page.locator("#main form button").click()
    expect(seen.page.locator("#answer li.flex")).to_have_count(12)
    seen.picture("preview-answer")
    assert seen.violations() == []
    assert seen.errors == []
    seen.page.close()


def test_a_person_signs_in_with_a_password(chromium: object, site: str, signed_in: Browser) -> None:
    from tests.portal.workspace import PASSWORD, new_user

    user = new_user("Grace", PASSWORD)
    page = look(signed_in(None, width=1024), "/sign-in/").page
    page.fill("input[name=login]", user.email)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("You are in no workspace yet")
    page.close()
