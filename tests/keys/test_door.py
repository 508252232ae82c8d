"""The keys plane has the same three locks as the data."""

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
def test_no_scope_no_rows(model: type[TenantKey], keyed: TenantRef) -> None:
    with pytest.raises(ScopeRequired):
        model.objects.filter(tenant_id=keyed.id).exists()


@pytest.mark.parametrize(
    "table", ["keys_tenantkey", "keys_purposekey", "keys_erasureledgerentry", "keys_shredcertificate"]
)
def test_plain_sql_without_a_claim_raises(table: str, keyed: TenantRef) -> None:
    with connections["keys_eu"].cursor() as cursor, pytest.raises(Exception, match="no scope"):
        cursor.execute(f"SELECT * FROM {table}")


@pytest.mark.parametrize("model", MODELS)
def test_a_stranger_sees_nothing_even_when_asking_by_id(
    model: type[TenantKey], keyed: TenantRef, stranger: TenantRef, actor: Actor
) -> None:
    with keys_scope(stranger, actor=actor):
        assert not model.objects.filter(tenant_id=keyed.id).exists()
        assert set(model.objects.values_list("tenant_id", flat=True)) == {stranger.id}


def test_a_stranger_cannot_plant_a_key(keyed: TenantRef, stranger: TenantRef, actor: Actor) -> None:
    planted = TenantKey(tenant_id=keyed.id, id=uuid4(), version=9, state=KeyState.RETIRED, wrapped=b"x")
    with pytest.raises(Exception, match="row-level security"), keys_scope(stranger, actor=actor):
        planted.save(force_insert=True)


def test_a_destroyed_key_cannot_keep_its_material(keyed: TenantRef, actor: Actor) -> None:
    with pytest.raises(Exception, match="destroyed_is_empty"), keys_scope(keyed, actor=actor):
        PurposeKey.objects.filter(tenant_id=keyed.id).update(state=KeyState.DESTROYED)


def test_a_key_hangs_on_a_kek_of_its_own_tenant(keyed: TenantRef, stranger: TenantRef, actor: Actor) -> None:
    insert = (
        "INSERT INTO keys_purposekey (tenant_id, id, key_id, purpose, state, kek_version, wrapped, created_at) "
        "VALUES (%s, %s, 999, 'review', 'retired', 77, 'x', now())"
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation), keys_scope(keyed, actor=actor) as s:
        s.cursor().execute(insert, (keyed.id, uuid4()))
