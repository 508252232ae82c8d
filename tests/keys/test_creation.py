from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from tenants.crypto import Purpose
from tenants.errors import KeyServiceUnavailable, RegionNotServed
from tenants.keys import queries
from tenants.keys.actions import create_tenant_keys
from tenants.keys.models import KeyState
from tenants.regions import TenantRef
from tenants.scope import Actor


def test_a_new_tenant_has_one_active_key_for_each_purpose(keyed_tenant: TenantRef, actor: Actor) -> None:
    keys = queries.list_keys(keyed_tenant, actor=actor)
    assert {key.purpose for key in keys} == set(Purpose)
    assert {key.state for key in keys} == {KeyState.ACTIVE}
    assert len({key.key_id for key in keys}) == len(keys) == len(Purpose)


def test_creating_twice_changes_nothing(keyed_tenant: TenantRef, actor: Actor) -> None:
    before = queries.list_keys(keyed_tenant, actor=actor)
    assert create_tenant_keys(keyed_tenant, actor=actor) == []
    assert queries.list_keys(keyed_tenant, actor=actor) == before


def test_a_missing_purpose_is_added(
    keyed_tenant: TenantRef, actor: Actor, tamper: Callable[..., int]
) -> None:
    assert (
        tamper("DELETE FROM keys_purposekey WHERE tenant_id = %s AND purpose = 'receipt'", keyed_tenant.id)
        == 1
    )
    assert create_tenant_keys(keyed_tenant, actor=actor) == [Purpose.RECEIPT]


def test_concurrent_creations_make_one_set_of_keys(database: None, actor: Actor) -> None:
    tenant = TenantRef(uuid4(), "eu")

    def create(_: int) -> int:
        try:
            return len(create_tenant_keys(tenant, actor=actor))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        added = sorted(threads.map(create, range(4)))
    assert added == [0, 0, 0, len(Purpose)]
    assert len(queries.list_keys(tenant, actor=actor)) == len(Purpose)


def test_an_unavailable_key_service_leaves_no_keys(
    database: None, actor: Actor, silence_kms: Callable[[], None]
) -> None:
    tenant = TenantRef(uuid4(), "eu")
    silence_kms()
    with pytest.raises(KeyServiceUnavailable):
        create_tenant_keys(tenant, actor=actor)
    assert queries.list_keys(tenant, actor=actor) == []
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(tenant)


def test_a_region_that_is_not_served_is_refused(database: None, actor: Actor) -> None:
    with pytest.raises(RegionNotServed):
        create_tenant_keys(TenantRef(uuid4(), "mars"), actor=actor)


def test_the_creation_is_in_the_audit_log(
    keyed_tenant: TenantRef, actor: Actor, superuser: Callable[..., Any]
) -> None:
    rows = superuser("keys_eu").execute(
        "SELECT verb, actor_kind, actor_id FROM keys_auditentry WHERE tenant_id = %s", (keyed_tenant.id,)
    )
    assert rows.fetchall() == [("keys.created", actor.kind, actor.id)]
