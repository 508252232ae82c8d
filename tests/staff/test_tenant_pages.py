"""Creating, changing, suspending and resuming through the staff pages, with a trace the tenant sees."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from recommender.registry.actions import publish_model, record_observation
from recommender.registry.types import TrainedModel
from tenants.control.actions import create_api_key
from tenants.control.models import Tenant, User
from tenants.control.queries import authenticate, list_audit_entries, list_members
from tenants.control.roles import MemberRole
from tenants.data.queries.tenant_state import get_state
from tenants.errors import KeyServiceUnavailable, TenantSuspended
from tenants.privacy import onboarding
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope, scope

ADD = "/staff/control/tenant/add/"


def form_fields(**changes: str) -> dict[str, str]:
    return {
        "name": "Silk Road",
        "slug": f"t-{secrets.token_hex(6)}",
        "vertical": "finance",
        "region": "cn",
        "plan": "growth",
        "language": "zh-hans",
        "currency": "",
        "time_zone": "",
        "owner_email": "",
        **changes,
    }


def newest(tenant: TenantRef, actor: Actor) -> Any:
    with control_scope(tenant.id, actor=actor) as s:
        return list_audit_entries(s)[0]


def test_a_tenant_is_opened_with_keys_space_owner_and_its_regions_defaults(
    staff: Client, actor: Actor
) -> None:
    form = form_fields(owner_email=f"{secrets.token_hex(4)}@example.com")
    assert staff.post(ADD, form)["Location"] == "/staff/control/tenant/"
    created = Tenant.objects.get(slug=form["slug"])
    assert (created.status, created.currency, created.time_zone) == ("active", "CNY", "Asia/Shanghai")
    with scope(created.ref, actor=actor) as s:
        assert get_state(s).vertical == "finance"
    with control_scope(created.id, actor=actor) as s:
        assert [(member.email, member.role) for member in list_members(s)] == [
            (form["owner_email"], MemberRole.OWNER)
        ]


def test_opening_is_recorded_under_the_name_of_the_member_of_staff(
    staff: Client, staff_user: User, actor: Actor
) -> None:
    form = form_fields()
    staff.post(ADD, form)
    entry = newest(Tenant.objects.get(slug=form["slug"]).ref, actor)
    assert (entry.verb, entry.actor_kind, entry.actor_id) == ("tenant.opened", "staff", str(staff_user.id))


@pytest.mark.parametrize(
    ("field", "value"),
    [("slug", "Not A Slug"), ("currency", "yuan"), ("time_zone", "Mars"), ("name", ""), ("region", "x")],
)
def test_a_wrong_field_is_shown_at_the_field_and_nothing_is_made(
    staff: Client, field: str, value: str
) -> None:
    form = form_fields(**{field: value})
    answer = staff.post(ADD, form)
    assert field in answer.context["adminform"].form.errors
    assert not Tenant.objects.filter(slug=form["slug"]).exists()


def test_a_slug_in_use_is_said(staff: Client) -> None:
    form = form_fields()
    staff.post(ADD, form)
    assert "slug" in staff.post(ADD, form).context["adminform"].form.errors


def test_an_outage_is_said_and_the_next_try_finishes_the_tenant(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = form_fields()

    def down(*_: object, **__: object) -> None:
        raise KeyServiceUnavailable("The key service does not answer.")

    with monkeypatch.context() as broken:
        broken.setattr(onboarding, "create_tenant_keys", down)
        assert "does not answer" in staff.post(ADD, form, follow=True).content.decode()
    staff.post(
        f"/staff/control/tenant/{Tenant.objects.get(slug=form['slug']).id}/finish/",
        {"_form_submitted": "on"},
    )
    assert Tenant.objects.get(slug=form["slug"]).status == "active"


def test_a_plan_is_changed_and_recorded(staff: Client, tenant: TenantRef, actor: Actor) -> None:
    page = f"/staff/control/tenant/{tenant.id}/change/"
    form = staff.get(page).context["adminform"].form
    staff.post(page, {**form.initial, "plan": "enterprise"})
    assert Tenant.objects.get(id=tenant.id).plan == "enterprise"
    assert (newest(tenant, actor).verb, newest(tenant, actor).facts) == (
        "tenant.changed",
        {"plan": "enterprise"},
    )


def test_region_and_vertical_do_not_change_here(staff: Client, tenant: TenantRef) -> None:
    page = f"/staff/control/tenant/{tenant.id}/change/"
    form = staff.get(page).context["adminform"].form
    staff.post(page, {**form.initial, "region": "us", "vertical": "ads", "slug": "another"})
    after = Tenant.objects.get(id=tenant.id)
    assert (after.region_id, after.vertical, after.slug == "another") == ("eu", "ecommerce", False)


def test_suspending_asks_for_a_reason_stops_the_keys_and_is_undone_by_resuming(
    staff: Client, tenant: TenantRef, actor: Actor
) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        key = create_api_key(s, name="x", scopes=["items:read"]).secret
    page = f"/staff/control/tenant/{tenant.id}"
    assert (
        "required" in staff.post(f"{page}/suspend/", {"_form_submitted": "on", "reason": ""}).content.decode()
    )
    staff.post(f"{page}/suspend/", {"_form_submitted": "on", "reason": "Invoice 7"})
    with pytest.raises(TenantSuspended):
        authenticate(key, remote_ip="127.0.0.1")
    assert newest(tenant, actor).facts == {"reason": "Invoice 7"}
    staff.post(f"{page}/resume/", {"_form_submitted": "on", "reason": "paid"})
    assert authenticate(key, remote_ip="127.0.0.1").tenant == tenant


def test_a_get_never_suspends(staff: Client, tenant: TenantRef) -> None:
    staff.get(f"/staff/control/tenant/{tenant.id}/suspend/", {"_form_submitted": "on", "reason": "x"})
    assert Tenant.objects.get(id=tenant.id).status == "active"


def test_only_what_the_state_allows_is_offered(staff: Client, tenant: TenantRef) -> None:
    shown = staff.get(f"/staff/control/tenant/{tenant.id}/change/").content.decode()
    assert ("/suspend/" in shown, "/resume/" in shown) == (True, False)


@pytest.mark.parametrize("model", ["tenant", "user", "region", "auditentry"])
def test_nothing_can_be_deleted(staff: Client, tenant: TenantRef, staff_user: User, model: str) -> None:
    key = {"tenant": tenant.id, "user": staff_user.id, "region": "eu", "auditentry": tenant.id}[model]
    assert staff.post(f"/staff/control/{model}/{key}/delete/", {"post": "yes"}).status_code in {302, 403, 404}
    assert Tenant.objects.filter(id=tenant.id).exists()
    assert User.objects.filter(id=staff_user.id).exists()


def test_an_absent_tenant_is_not_found(staff: Client) -> None:
    assert staff.get("/staff/control/tenant/00000000-0000-0000-0000-000000000000/change/").status_code == 302


def test_staff_see_that_a_model_has_drifted(staff: Client, tenant: TenantRef, actor: Actor) -> None:
    created = TrainedModel(uuid4(), uuid4(), "fast", {"files": {}, "bytes": 1}, {}, datetime.now(UTC), None)
    shifts = {"hours": {"value": 0.3, "level": "drifted"}, "coverage": {"value": 0.0, "level": "steady"}}
    with scope(tenant, actor=actor) as s:
        publish_model(s, created, expected=None)
        record_observation(s, 1, drift={"level": "drifted", "shifts": shifts})
    page = staff.get(f"/staff/control/tenant/{tenant.id}/change/").content.decode()
    assert "Drifted" in page
    assert "Hours of the day" in page
    assert "Items shown" not in page
