"""Staff work on the directory. The rows of a tenant stay shut to them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.contrib import admin
from django.test import Client
from psycopg import sql

from lepton_platform.staff.site import site
from tenants.data.actions.catalog import upsert_items
from tenants.data.actions.events import record_events
from tenants.data.actions.jobs import request_job
from tenants.data.types import EventInput, ItemInput
from tenants.regions import TenantRef
from tenants.scope import Actor, data_ops, scope
from tests.staff.test_access import PAGES

CANARIES = ("item-canary", "title-canary", "profile-canary")


def test_the_site_registers_models_of_the_directory_only() -> None:
    assert {model._meta.label for model in site._registry} == {
        "control.Region",
        "control.Tenant",
        "control.User",
        "control.AuditEntry",
    }


def test_the_packages_own_admin_is_not_mounted(staff: Client) -> None:
    elsewhere = [
        model
        for model in admin.site._registry
        if model._meta.app_label not in {"control"} and admin.site is not site
    ]
    paths = {f"/staff/{model._meta.app_label}/{model._meta.model_name}/" for model in elsewhere}
    assert {staff.get(path).status_code for path in paths} <= {404}


@pytest.fixture
def filled(tenant: TenantRef, actor: Actor) -> TenantRef:
    with scope(tenant, actor=actor) as s:
        upsert_items(s, [ItemInput(id=CANARIES[0], title=CANARIES[1])])
    with scope(tenant, actor=actor) as s:
        record_events(s, [EventInput(profile_id=CANARIES[2], item_id=CANARIES[0], kind="view")])
    return tenant


def test_no_staff_page_holds_a_word_of_a_tenants_data(staff: Client, filled: TenantRef) -> None:
    pages = [
        *PAGES,
        f"/staff/control/tenant/{filled.id}/change/",
        "/staff/search/?s=canary",
        "/staff/jobs/?region=eu",
    ]
    canaries_by_page = {
        page: [c for c in CANARIES if c in staff.get(page).content.decode()] for page in pages
    }
    assert {page: canaries for page, canaries in canaries_by_page.items() if canaries} == {}


def rows_for_staff(table: str, actor: Actor) -> int:
    """How many rows the claim of the staff pages reads; none when PostgreSQL refuses."""
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    try:
        with data_ops("eu", "staff", actor=actor, reason="test") as s:
            return int(s.cursor().execute(query).fetchall()[0][0])
    except psycopg.errors.InsufficientPrivilege:
        return 0


def test_the_ops_claim_of_staff_reads_jobs_and_the_outbox_only(
    filled: TenantRef, actor: Actor, superuser: Any
) -> None:
    with scope(filled, actor=actor) as s:
        request_job(s, "train", parameters={})
    tables = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname LIKE 'data\\_%'"
    named = [name for (name,) in superuser("data_eu").execute(tables)]
    assert {name for name in named if rows_for_staff(name, actor)} == {"data_job", "data_outbox"}
