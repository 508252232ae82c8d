from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tenants.crypto import BoundCipher, Purpose
from tenants.crypto.signing import Signer
from tenants.errors import Conflict, KeyServiceUnavailable, NotFound
from tenants.keys import queries
from tenants.keys.actions import create_tenant_keys, rewrap_tenant_keys, rotate_tenant_kek, shred
from tenants.regions import TenantRef
from tenants.scope import Actor

SEED = bytes(range(32))


def test_after_a_shred_no_key_material_is_stored(
    keyed_tenant: TenantRef, actor: Actor, superuser: Callable[..., Any]
) -> None:
    rotate_tenant_kek(keyed_tenant, actor=actor)
    shred(keyed_tenant, actor=actor)
    remaining = superuser("keys_eu").execute(
        "SELECT (SELECT count(*) FROM keys_tenantkey WHERE tenant_id = %(t)s AND wrapped <> ''), "
        "(SELECT count(*) FROM keys_purposekey WHERE tenant_id = %(t)s AND wrapped <> ''), "
        "(SELECT count(*) FROM keys_purposekey WHERE tenant_id = %(t)s AND state = 'destroyed')",
        {"t": keyed_tenant.id},
    )
    assert remaining.fetchone() == (0, 0, len(Purpose))
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(keyed_tenant)


def test_a_shred_removes_the_keyring_from_the_cache(keyed_tenant: TenantRef, actor: Actor) -> None:
    queries.get_keyring(keyed_tenant)
    shred(keyed_tenant, actor=actor)
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(keyed_tenant)


def test_a_shred_does_not_affect_another_tenant(
    keyed_tenant: TenantRef,
    stranger: TenantRef,
    actor: Actor,
    make_review_cipher: Callable[[TenantRef], BoundCipher],
) -> None:
    sealed = make_review_cipher(stranger).seal(b"x", b"row")
    shred(keyed_tenant, actor=actor)
    assert make_review_cipher(stranger).open(sealed, b"row") == b"x"


def test_the_certificate_lists_destroyed_keys_and_is_signed(
    keyed_tenant: TenantRef, actor: Actor, settings: Any
) -> None:
    settings.LEPTON_SIGNING_KEY = SEED
    issued = shred(keyed_tenant, actor=actor)
    statement = json.loads(issued.body)
    assert statement["tenant"] == str(keyed_tenant.id)
    assert {key["purpose"] for key in statement["keys"]} == set(Purpose)
    assert issued.verify_signature(Signer(SEED).public_key)
    assert not issued.verify_signature(Signer(bytes(32)).public_key)
    assert queries.get_certificate(keyed_tenant, actor=actor) == issued


def test_a_second_shred_returns_the_same_certificate(keyed_tenant: TenantRef, actor: Actor) -> None:
    assert shred(keyed_tenant, actor=actor) == shred(keyed_tenant, actor=actor)


def test_a_shredded_tenant_gets_no_new_keys(keyed_tenant: TenantRef, actor: Actor) -> None:
    shred(keyed_tenant, actor=actor)
    with pytest.raises(Conflict):
        create_tenant_keys(keyed_tenant, actor=actor)
    assert keyed_tenant.id not in queries.list_tenants_with_keys("eu", actor=actor)
    assert rewrap_tenant_keys("eu", actor=actor) >= 0


def test_a_tenant_without_keys_cannot_be_shredded(database: None, actor: Actor) -> None:
    with pytest.raises(NotFound):
        shred(TenantRef(uuid4(), "eu"), actor=actor)


def test_the_application_cannot_rewrite_a_certificate_or_its_audit_entries(
    keyed_tenant: TenantRef, actor: Actor, superuser: Callable[..., Any]
) -> None:
    rights = superuser("keys_eu").execute(
        "SELECT has_table_privilege('lepton_app', name, 'UPDATE') OR has_table_privilege('lepton_app', name, "
        "'DELETE') FROM unnest(ARRAY['keys_shredcertificate', 'keys_auditentry']) AS name"
    )
    assert rights.fetchall() == [(False,), (False,)]
