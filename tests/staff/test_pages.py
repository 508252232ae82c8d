"""Every page opens, in both languages, under a policy that allows nothing from outside."""

from __future__ import annotations

import gettext
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from lepton_platform.staff import figures
from lepton_platform.staff.pages import regions
from tenants import audit
from tenants.control.queries import get_tenant as tenant_of
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope
from tests.staff.test_access import PAGES

CATALOGUE = Path(figures.__file__).parent / "locale/zh_Hans/LC_MESSAGES"
ENGLISH = [
    "Dashboard",
    "Filters",
    "Type to search",
    "Search apps",
    "Active tenants",
    "Save and",
    "Two-step",
    "Audit log",
]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_and_says_its_language(
    staff: Client, tenant: TenantRef, page: str, language: str
) -> None:
    answer = staff.get(page, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert "/search/" in page or f'lang="{language}"' in answer.content.decode()


@pytest.mark.parametrize("page", [page for page in PAGES if "search" not in page])
def test_a_chinese_page_holds_none_of_the_toolkits_english(
    staff: Client, tenant: TenantRef, page: str
) -> None:
    shown = staff.get(page, headers={"Accept-Language": "zh-hans"}).content.decode()
    assert [english for english in ENGLISH if english in shown] == []


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_tenants_page_shows_its_people_and_log(staff: Client, tenant: TenantRef, language: str) -> None:
    answer = staff.get(f"/staff/control/tenant/{tenant.id}/change/", headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert "tenant.opened" in answer.content.decode()


def test_the_compiled_catalogue_is_the_written_one() -> None:
    written = (CATALOGUE / "django.po").read_text()
    with (CATALOGUE / "django.mo").open("rb") as compiled:
        translations = gettext.GNUTranslations(compiled)
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', written, re.MULTILINE)
    plain = [
        (msgid.replace('\\"', '"'), msgstr.replace('\\"', '"'))
        for msgid, msgstr in pairs
        if "msgctxt" not in msgid
    ]
    outdated = [msgid for msgid, msgstr in plain if translations.gettext(msgid) not in {msgstr, msgid}]
    assert len(plain) > 100
    assert outdated == []


def test_the_log_opens_whatever_an_actor_is_called(staff: Client, tenant: TenantRef) -> None:
    with control_scope(tenant.id, actor=Actor("staff", "break-glass")) as s:
        audit.record_entry(s, "test.named", "x")
    assert "break-glass" in staff.get("/staff/control/auditentry/?q=test.named").content.decode()


def test_evaluating_is_allowed_on_the_staff_path_only(staff: Client, client: Client) -> None:
    assert "'unsafe-eval'" in staff.get("/staff/")["Content-Security-Policy"]
    assert "'unsafe-eval'" not in client.get("/account/login/")["Content-Security-Policy"]


def test_scripts_and_everything_else_come_from_here(staff: Client) -> None:
    policy = staff.get("/staff/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert re.findall(r'(?:src|href)="(?:https?:)?//', staff.get("/staff/").content.decode()) == []


def test_the_dashboard_counts_what_is_there(staff: Client, make_tenant: Any) -> None:
    before = staff.get("/staff/").context["dashboard"]
    make_tenant(region="us")
    after = staff.get("/staff/").context["dashboard"]
    assert after.active_tenants == before.active_tenants + 1
    assert [row.statistics.tenants for row in after.regions] == [
        row.statistics.tenants + (row.statistics.code == "us") for row in before.regions
    ]


def test_a_region_that_does_not_answer_is_said_and_not_hidden(
    staff: Client, tenant: TenantRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenants.errors import StoreUnavailable

    def down(*_: object, **__: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(figures, "data_ops", down)
    monkeypatch.setattr(regions, "is_database_available", lambda _alias: False)
    assert "Unreachable" in staff.get("/staff/").content.decode()
    assert "Unreachable" in staff.get("/staff/control/region/").content.decode()


def test_the_search_finds_pages_tenants_and_users(staff: Client, tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        slug = tenant_of(s).slug
    assert str(tenant.id) in staff.get("/staff/search/", {"s": slug}).content.decode()
    assert "/staff/jobs/" in staff.get("/staff/search/", {"s": "job"}).content.decode()
    assert staff.get("/staff/search/").content == b""


def test_a_region_served_elsewhere_is_not_called_silent(staff: Client, settings: Any) -> None:
    settings.LEPTON_SERVED_REGIONS = ("eu",)
    page = staff.get("/staff/").content.decode()
    assert page.count("Not served here") == 2
    assert "Unreachable" not in page
    listed = staff.get("/staff/control/region/").content.decode()
    assert listed.count("Not served here") == 4
