"""The keys plane requires a scope, filters by tenant and enforces row-level security, as the data plane does."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from django.db import connections

from tenants.errors import ScopeRequired
from tenants.keys.models import KeyState, PurposeKey, TenantKey
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope

MODELS = [TenantKey, PurposeKey]


@pytest.mark.parametrize("model", MODELS)
def test_rows_require_a_scope(model: type[TenantKey], keyed_tenant: TenantRef) -> None:
    with pytest.raises(ScopeRequired):
        model.objects.filter(tenant_id=keyed_tenant.id).exists()


@pytest.mark.parametrize(
    "table", ["keys_tenantkey", "keys_purposekey", "keys_erasureledgerentry", "keys_shredcertificate"]
)
def test_plain_sql_without_a_claim_raises(table: str, keyed_tenant: TenantRef) -> None:
    with connections["keys_eu"].cursor() as cursor, pytest.raises(Exception, match="no scope"):
        cursor.execute(f"SELECT * FROM {table}")


@pytest.mark.parametrize("model", MODELS)
def test_a_stranger_sees_no_rows_even_by_id(
    model: type[TenantKey], keyed_tenant: TenantRef, stranger: TenantRef, actor: Actor
) -> None:
    with keys_scope(stranger, actor=actor):
        assert not model.objects.filter(tenant_id=keyed_tenant.id).exists()
        assert set(model.objects.values_list("tenant_id", flat=True)) == {stranger.id}


def test_a_stranger_cannot_insert_a_key(keyed_tenant: TenantRef, stranger: TenantRef, actor: Actor) -> None:
    planted = TenantKey(
        tenant_id=keyed_tenant.id, id=uuid4(), version=9, state=KeyState.RETIRED, wrapped=b"x"
    )
    with pytest.raises(Exception, match="row-level security"), keys_scope(stranger, actor=actor):
        planted.save(force_insert=True)


def test_a_destroyed_key_cannot_keep_its_material(keyed_tenant: TenantRef, actor: Actor) -> None:
    with pytest.raises(Exception, match="destroyed_is_empty"), keys_scope(keyed_tenant, actor=actor):
        PurposeKey.objects.filter(tenant_id=keyed_tenant.id).update(state=KeyState.DESTROYED)


def test_a_purpose_key_references_a_kek_of_its_tenant(
    keyed_tenant: TenantRef, stranger: TenantRef, actor: Actor
) -> None:
    insert = (
        "INSERT INTO keys_purposekey (tenant_id, id, key_id, purpose, state, kek_version, wrapped, created_at) "
        "VALUES (%s, %s, 999, 'review', 'retired', 77, 'x', now())"
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation), keys_scope(keyed_tenant, actor=actor) as s:
        s.cursor().execute(insert, (keyed_tenant.id, uuid4()))
