"""API keys are created, rotated and revoked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenants.control.actions import create_api_key, revoke_api_key, rotate_api_key
from tenants.control.api_scopes import API_SCOPES
from tenants.control.queries import get_api_key, list_api_keys, list_audit_entries
from tenants.control.read_models import NewApiKey
from tenants.errors import Conflict, Invalid, NotFound, QuotaExceeded
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

MakeKey = Callable[..., NewApiKey]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["items:read", "everything"]}, "/scopes"),
        ({"name": "  "}, "/name"),
        ({"cidrs": ["10.0.0.0/8", "10.0.0.1/8"]}, "/cidrs/1"),
        ({"cidrs": ["example.com"]}, "/cidrs/0"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "/expires_at"),
    ],
)
def test_a_wrong_key_request_points_at_the_field(
    tenant: TenantRef, make_key: MakeKey, fields: Any, pointer: str
) -> None:
    with pytest.raises(Invalid) as caught:
        make_key(tenant, **fields)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_every_scope_can_be_granted(tenant: TenantRef, make_key: MakeKey) -> None:
    assert make_key(tenant, scopes=API_SCOPES).key.scopes == API_SCOPES


def test_the_secret_is_shown_once_and_in_no_representation(tenant: TenantRef, make_key: MakeKey) -> None:
    created = make_key(tenant)
    assert created.secret not in repr(created)
    assert created.secret not in created.key.masked_key


def test_the_plan_limits_active_keys_and_revoked_keys_do_not_count(
    make_tenant: Callable[..., TenantRef], make_key: MakeKey, actor: Actor
) -> None:
    tenant = make_tenant(plan="free")
    created = [make_key(tenant) for _ in range(5)]
    with pytest.raises(QuotaExceeded):
        make_key(tenant)
    with control_scope(tenant.id, actor=actor) as s:
        revoke_api_key(s, created[0].key.id)
    assert make_key(tenant).key.state == "active"


def test_a_rotated_key_keeps_its_rights_and_the_old_key_expires(
    tenant: TenantRef, make_key: MakeKey, actor: Actor
) -> None:
    old = make_key(tenant, scopes=["items:read", "events:write"], cidrs=["192.0.2.0/24"])
    with control_scope(tenant.id, actor=actor) as s:
        new = rotate_api_key(s, old.key.id, overlap=timedelta(hours=2))
        after = get_api_key(s, old.key.id)
    assert (new.key.scopes, new.key.cidrs) == (old.key.scopes, old.key.cidrs)
    assert (after.state, after.replaced_by) == ("replaced", new.key.id)
    assert after.expires_at is not None
    assert timedelta(minutes=119) < after.expires_at - datetime.now(UTC) <= timedelta(hours=2)


def test_rotation_never_extends_the_expiry_of_a_key(
    tenant: TenantRef, make_key: MakeKey, actor: Actor
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    old = make_key(tenant, expires_at=soon)
    with control_scope(tenant.id, actor=actor) as s:
        rotate_api_key(s, old.key.id, overlap=timedelta(days=2))
        assert get_api_key(s, old.key.id).expires_at == soon


def test_a_rotated_or_revoked_key_cannot_be_rotated(
    tenant: TenantRef, make_key: MakeKey, actor: Actor
) -> None:
    rotated, revoked = make_key(tenant), make_key(tenant)
    with control_scope(tenant.id, actor=actor) as s:
        rotate_api_key(s, rotated.key.id)
        revoke_api_key(s, revoked.key.id)
        for key_id in (rotated.key.id, revoked.key.id):
            with pytest.raises(Conflict):
                rotate_api_key(s, key_id)


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=31)])
def test_an_overlap_out_of_range_is_refused(
    tenant: TenantRef, make_key: MakeKey, actor: Actor, overlap: timedelta
) -> None:
    created = make_key(tenant)
    with control_scope(tenant.id, actor=actor) as s, pytest.raises(Invalid):
        rotate_api_key(s, created.key.id, overlap=overlap)


def test_revoking_twice_records_one_revocation(tenant: TenantRef, make_key: MakeKey, actor: Actor) -> None:
    created = make_key(tenant)
    with control_scope(tenant.id, actor=actor) as s:
        revoked = revoke_api_key(s, created.key.id)
        assert revoke_api_key(s, created.key.id).revoked_at == revoked.revoked_at
        revocations = [entry for entry in list_audit_entries(s) if entry.verb == "api_key.revoked"]
    assert len(revocations) == 1


@pytest.mark.parametrize("change", [get_api_key, rotate_api_key, revoke_api_key])
def test_a_strangers_key_is_an_absent_key(
    tenant: TenantRef, stranger_tenant: TenantRef, make_key: MakeKey, actor: Actor, change: Any
) -> None:
    foreign = make_key(tenant)
    with control_scope(stranger_tenant.id, actor=actor) as s:
        with pytest.raises(NotFound) as foreign_error:
            change(s, foreign.key.id)
        with pytest.raises(NotFound) as absent_error:
            change(s, "absentabsent")
        assert list_api_keys(s) == []
    assert foreign_error.value.detail == absent_error.value.detail


def test_every_change_of_a_key_is_in_the_audit_log(
    tenant: TenantRef, make_key: MakeKey, actor: Actor
) -> None:
    created = make_key(tenant)
    with control_scope(tenant.id, actor=actor) as s:
        rotate_api_key(s, created.key.id)
        revoke_api_key(s, created.key.id)
        log = list_audit_entries(s)
    verbs = [entry.verb for entry in log if entry.subject == created.key.id]
    assert verbs == ["api_key.revoked", "api_key.rotated", "api_key.created"]
    assert created.secret not in str(log)


def test_creating_a_key_does_not_return_the_hash(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        created = create_api_key(s, name="x", scopes=["items:read"])
    assert not hasattr(created.key, "secret_hmac")
