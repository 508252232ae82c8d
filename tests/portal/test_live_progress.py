from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.portal.page_visits import visit_page
from tests.portal.workspace import Workspace, finish_jobs

pytestmark = pytest.mark.browser


def test_a_training_is_started_watched_and_ends_without_a_reload(
    shop: Workspace, signed_in: Callable[..., BrowserContext]
) -> None:
    visit = visit_page(signed_in(shop.owner), shop.page("models"))
    visit.page.locator("#main").get_by_role("button", name="Train model").click()
    row = visit.page.locator("tbody tr").first
    expect(row).to_contain_text("Queued")
    expect(visit.page.locator(".toast-item")).to_contain_text("The training is queued.")
    visit.page.evaluate("window.still = true")
    finish_jobs(shop, "succeeded", outcome={"version": 1})
    expect(row).to_contain_text("Succeeded", timeout=15_000)
    expect(row).to_contain_text("Model v1")
    assert visit.page.evaluate("window.still")
    assert row.get_attribute("hx-get") is None
    assert visit.console_errors == []
    visit.page.close()


def test_a_retired_item_comes_back_with_one_click(
    shop: Workspace, signed_in: Callable[..., BrowserContext]
) -> None:
    visit = visit_page(signed_in(shop.owner), shop.page("catalogue", "item/?id=sku-2"))
    visit.page.get_by_role("button", name="Retire").click()
    visit.page.get_by_role("button", name="Undo").click()
    expect(visit.page.locator(".toast-item")).to_contain_text("The item is restored")
    visit.page.close()


def test_a_rejected_file_can_be_downloaded(shop: Workspace, signed_in: Callable[..., BrowserContext]) -> None:
    visit = visit_page(signed_in(shop.owner), shop.page("catalogue", "import/"))
    content = b"id,title\na-1,Good\n,Nameless\n"
    visit.page.set_input_files("#id_file", {"name": "a.csv", "mimeType": "text/csv", "buffer": content})
    expect(visit.page.locator("[data-file-name]")).to_have_text("a.csv")
    visit.page.locator("#main").get_by_role("button", name="Upload").click()
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download the rejected rows").click()
    assert "The id is missing or too long." in download.value.path().read_text(encoding="utf-8-sig")
    assert visit.find_violations() == []
    visit.page.close()
