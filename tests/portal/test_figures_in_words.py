"""Numbers, prices and names as a reader of either language writes them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.formats import date_format
from django.utils.timezone import datetime
from django.utils.translation import override

from lepton_platform.portal.templatetags.portal import (
    format_audit_value,
    format_compact,
    format_money,
    translate_event_kind,
)
from tests.portal.workspace import Workspace, browser


@pytest.mark.parametrize(
    ("language", "value", "written"),
    [
        ("en", 9_999, "9,999"),
        ("en", 12_400, "12.4K"),
        ("en", 1_240_000, "1.24M"),
        ("zh-hans", 9_999, "9,999"),
        ("zh-hans", 111_000, "11.1万"),
        ("zh-hans", 12_400_000, "1,240万"),
        ("zh-hans", 320_000_000, "3.2亿"),
    ],
)
def test_a_large_number_is_short_in_the_readers_units(language: str, value: int, written: str) -> None:
    with override(language):
        assert format_compact(value) == written


@pytest.mark.parametrize(
    ("currency", "written"),
    [("EUR", "€1,234.50"), ("CNY", "¥1,234.50"), ("CHF", "CHF 1,234.50"), (None, "1,234.50")],
)
def test_a_price_has_its_sign_or_else_its_code(currency: str | None, written: str) -> None:
    assert format_money(1234.5, currency) == written


def test_kinds_that_everybody_starts_with_have_names_and_a_tenants_own_are_kept() -> None:
    with override("zh-hans"):
        assert (translate_event_kind("purchase"), translate_event_kind("unboxing")) == ("购买", "unboxing")


def test_a_known_reason_of_an_audit_entry_is_translated() -> None:
    with override("zh-hans"):
        assert format_audit_value("Cancelled on request.", "reason") == "已按要求取消。"
        assert format_audit_value("Cancelled on request.", "note") == "Cancelled on request."
    assert format_audit_value("Invoice 7", "reason") == "Invoice 7"


def test_django_writes_thousands_and_times_as_our_pages_do() -> None:
    with override("zh-hans"):
        assert intcomma(16052) == "16,052"
    with override("en"):
        assert date_format(datetime(2026, 11, 25, 18, 10), "DATETIME_FORMAT") == "25 Nov 2026, 18:10"


@pytest.mark.parametrize(
    ("page", "action"),
    [("overview", "Upload a catalogue"), ("models", "Upload a catalogue"), ("preview", "Upload a catalogue"),
     ("keys", 'data-dialog-open="new-key">New key'), ("reports", "API documentation")],
)  # fmt: skip
def test_an_empty_page_says_what_to_do_next(bare: Workspace, database: Any, page: str, action: str) -> None:
    assert action in browser(bare.owner).get(bare.page(page)).content.decode()


def test_with_a_catalogue_the_empty_list_of_runs_starts_one(owner: Any, shop: Workspace) -> None:
    page = owner.get(shop.page("models")).content.decode()
    assert page.count(f'action="/t/{shop.slug}/models/train/"') == 2
