"""Jobs over all tenants of a region: seen without their contents, cancelled with a trace."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.test import Client

from tenants.control.models import User
from tenants.data.actions.jobs import finish_job, lease_job, request_job
from tenants.data.queries.audit_log import list_entries
from tenants.data.queries.jobs import get_job
from tenants.regions import TenantRef
from tenants.scope import Actor, scope


@pytest.fixture
def queued(tenant: TenantRef, actor: Actor) -> UUID:
    with scope(tenant, actor=actor) as s:
        return request_job(s, "train", parameters={"canary": "parameter-canary"}).id


def cancel_page(tenant: TenantRef, job_id: UUID, region: str = "eu") -> str:
    return f"/staff/jobs/{region}/{tenant.id}/{job_id}/cancel/"


def state_of(tenant: TenantRef, job_id: UUID, actor: Actor) -> str:
    with scope(tenant, actor=actor) as s:
        return get_job(s, job_id).state


def test_a_job_is_listed_in_its_region_only_and_without_its_parameters(
    staff: Client, tenant: TenantRef, queued: UUID
) -> None:
    shown = staff.get("/staff/jobs/?region=eu").content.decode()
    assert cancel_page(tenant, queued) in shown
    assert "parameter-canary" not in shown
    assert str(queued) not in staff.get("/staff/jobs/?region=cn").content.decode()


def test_the_list_can_be_narrowed_to_a_state(staff: Client, tenant: TenantRef, queued: UUID) -> None:
    assert str(queued) in staff.get("/staff/jobs/?region=eu&state=queued").content.decode()
    assert str(queued) not in staff.get("/staff/jobs/?region=eu&state=failed").content.decode()


def test_asking_to_cancel_cancels_nothing(
    staff: Client, tenant: TenantRef, queued: UUID, actor: Actor
) -> None:
    assert staff.get(cancel_page(tenant, queued)).status_code == 200
    assert state_of(tenant, queued, actor) == "queued"


def test_cancelling_stops_the_job_and_the_tenant_sees_who_did_it(
    staff: Client, staff_user: User, tenant: TenantRef, queued: UUID, actor: Actor
) -> None:
    staff.post(cancel_page(tenant, queued))
    assert state_of(tenant, queued, actor) == "cancelled"
    with scope(tenant, actor=actor) as s:
        newest = list_entries(s)[0]
    assert (newest.verb, newest.actor_kind, newest.actor_id) == ("job.cancel", "staff", str(staff_user.id))


def test_a_job_that_is_over_says_so(staff: Client, tenant: TenantRef, queued: UUID, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        lease_job(s, queued, owner="w")
        finish_job(s, queued, owner="w", state="failed", reason="Not enough events.")
    assert "over" in staff.post(cancel_page(tenant, queued), follow=True).content.decode()
    assert "Not enough events." in staff.get("/staff/jobs/?region=eu").content.decode()


def test_an_absent_job_another_tenants_job_and_an_unknown_region_are_not_found(
    staff: Client, tenant: TenantRef, stranger_tenant: TenantRef, queued: UUID, actor: Actor
) -> None:
    pages = [
        cancel_page(tenant, uuid4()),
        cancel_page(stranger_tenant, queued),
        cancel_page(tenant, queued, "mars"),
    ]
    assert {staff.post(page).status_code for page in pages} == {404}
    assert staff.get("/staff/jobs/?region=mars").status_code == 404
    assert state_of(tenant, queued, actor) == "queued"


def test_a_request_from_another_site_cancels_nothing(
    staff_user: User, tenant: TenantRef, queued: UUID, actor: Actor
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff_user, "django.contrib.auth.backends.ModelBackend")
    assert strict.post(cancel_page(tenant, queued)).status_code == 403
    assert state_of(tenant, queued, actor) == "queued"
