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


def test_after_a_shred_no_key_is_left_anywhere(
    keyed: TenantRef, actor: Actor, superuser: Callable[..., Any]
) -> None:
    rotate_tenant_kek(keyed, actor=actor)
    shred(keyed, actor=actor)
    remaining = superuser("keys_eu").execute(
        "SELECT (SELECT count(*) FROM keys_tenantkey WHERE tenant_id = %(t)s AND wrapped <> ''), "
        "(SELECT count(*) FROM keys_purposekey WHERE tenant_id = %(t)s AND wrapped <> ''), "
        "(SELECT count(*) FROM keys_purposekey WHERE tenant_id = %(t)s AND state = 'destroyed')",
        {"t": keyed.id},
    )
    assert remaining.fetchone() == (0, 0, len(Purpose))
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(keyed)


def test_this_process_forgets_at_once(keyed: TenantRef, actor: Actor) -> None:
    queries.get_keyring(keyed)
    shred(keyed, actor=actor)
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(keyed)


def test_another_tenant_goes_on(
    keyed: TenantRef, stranger: TenantRef, actor: Actor, review_cipher: Callable[[TenantRef], BoundCipher]
) -> None:
    sealed = review_cipher(stranger).seal(b"x", b"row")
    shred(keyed, actor=actor)
    assert review_cipher(stranger).open(sealed, b"row") == b"x"


def test_the_certificate_names_what_was_destroyed_and_is_signed(
    keyed: TenantRef, actor: Actor, settings: Any
) -> None:
    settings.LEPTON_SIGNING_KEY = SEED
    issued = shred(keyed, actor=actor)
    statement = json.loads(issued.body)
    assert statement["tenant"] == str(keyed.id)
    assert {key["purpose"] for key in statement["keys"]} == set(Purpose)
    assert issued.verify_signature(Signer(SEED).public_key)
    assert not issued.verify_signature(Signer(bytes(32)).public_key)
    assert queries.get_certificate(keyed, actor=actor) == issued


def test_a_second_shred_returns_the_same_certificate(keyed: TenantRef, actor: Actor) -> None:
    assert shred(keyed, actor=actor) == shred(keyed, actor=actor)


def test_a_shredded_tenant_gets_no_new_keys(keyed: TenantRef, actor: Actor) -> None:
    shred(keyed, actor=actor)
    with pytest.raises(Conflict):
        create_tenant_keys(keyed, actor=actor)
    assert keyed.id not in queries.list_tenants_with_keys("eu", actor=actor)
    assert rewrap_tenant_keys("eu", actor=actor) >= 0


def test_a_tenant_without_keys_cannot_be_shredded(database: None, actor: Actor) -> None:
    with pytest.raises(NotFound):
        shred(TenantRef(uuid4(), "eu"), actor=actor)


def test_the_application_cannot_rewrite_a_certificate_or_its_audit_entries(
    keyed: TenantRef, actor: Actor, superuser: Callable[..., Any]
) -> None:
    rights = superuser("keys_eu").execute(
        "SELECT has_table_privilege('lepton_app', name, 'UPDATE') OR has_table_privilege('lepton_app', name, "
        "'DELETE') FROM unnest(ARRAY['keys_shredcertificate', 'keys_auditentry']) AS name"
    )
    assert rights.fetchall() == [(False,), (False,)]
