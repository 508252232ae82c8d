"""Tenants are validated, and have plans and states."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tenants.control.actions import create_tenant, resume_tenant, suspend_tenant, update_tenant
from tenants.control.models import Region, Tenant, Vertical
from tenants.control.plans import PLANS, get_plan
from tenants.control.queries import get_tenant
from tenants.errors import Conflict, Invalid, RegionNotServed
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

STAFF = Actor("staff", "ops")


def build_values(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Silk Road",
        "slug": f"t-{secrets.token_hex(6)}",
        "vertical": "ecommerce",
        "region": "cn",
        "language": "zh-hans",
        "currency": "CNY",
        "time_zone": "Asia/Shanghai",
        "plan": "free",
        **changes,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "x" * 121),
        ("slug", "Silk Road"),
        ("slug", "-silk"),
        ("slug", "ab"),
        ("slug", "silk\n"),
        ("vertical", "weapons"),
        ("region", "mars"),
        ("language", "tlh"),
        ("currency", "Yuan"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("plan", "gold"),
    ],
)
def test_a_wrong_field_is_reported_and_no_tenant_is_created(database: None, field: str, value: str) -> None:
    values = build_values(**{field: value})
    with pytest.raises(Invalid) as caught:
        create_tenant(actor=STAFF, **values)
    assert [error.pointer for error in caught.value.errors] == [f"/{field}"]
    assert not Tenant.objects.filter(slug=values["slug"]).exists()


def test_all_wrong_fields_are_reported_at_once(database: None) -> None:
    with pytest.raises(Invalid) as caught:
        create_tenant(actor=STAFF, **build_values(name="", currency="x"))
    assert {error.pointer for error in caught.value.errors} == {"/name", "/currency"}


def test_an_unserved_region_gets_no_tenant(database: None, settings: Any) -> None:
    settings.LEPTON_SERVED_REGIONS = ("eu",)
    values = build_values(region="us")
    with pytest.raises(RegionNotServed):
        create_tenant(actor=STAFF, **values)
    assert not Tenant.objects.filter(slug=values["slug"]).exists()


def test_a_slug_is_unique(database: None) -> None:
    values = build_values()
    create_tenant(actor=STAFF, **values)
    with pytest.raises(Conflict):
        create_tenant(actor=STAFF, **values)


def test_a_new_tenant_has_the_status_opening(database: None) -> None:
    assert create_tenant(actor=STAFF, **build_values()).status == "opening"


@pytest.mark.parametrize("vertical", Vertical.values)
def test_every_vertical_can_be_opened(make_tenant: Any, vertical: str) -> None:
    assert make_tenant(vertical=vertical).region == "eu"


def test_suspending_requires_a_reason_and_an_active_tenant(tenant: TenantRef) -> None:
    with control_scope(tenant.id, actor=STAFF) as s:
        with pytest.raises(Invalid):
            suspend_tenant(s, reason="  ")
        with pytest.raises(Conflict):
            resume_tenant(s, reason="too early")
        assert suspend_tenant(s, reason="unpaid").status == "suspended"
        with pytest.raises(Conflict):
            suspend_tenant(s, reason="again")


def test_updates_are_validated(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        with pytest.raises(Invalid):
            update_tenant(s, time_zone="nowhere")
        changed = update_tenant(s, name="New", currency="USD")
        assert (changed.name, changed.currency) == ("New", "USD")
        assert get_tenant(s) == changed


def test_the_database_refuses_an_unknown_vertical(database: None) -> None:
    from django.db import IntegrityError

    region = Region.objects.get(code="eu")
    with pytest.raises(IntegrityError, match="vertical_known"):
        Tenant.objects.create(
            slug=f"t-{secrets.token_hex(6)}",
            name="x",
            vertical="weapons",
            region=region,
            currency="EUR",
            time_zone="UTC",
        )


def test_larger_plans_have_larger_limits() -> None:
    free, growth, enterprise = (get_plan(name) for name in PLANS)
    for limit in (
        "requests_per_second",
        "events_per_day",
        "catalogue_items",
        "training_per_day",
        "members",
        "api_keys",
    ):
        assert getattr(free, limit) < getattr(growth, limit) < getattr(enterprise, limit)
