from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from uuid import uuid4

import pytest

from tenants.crypto import BoundCipher, Purpose
from tenants.errors import (
    DecryptionFailed,
    KeyServiceUnavailable,
    RegionNotServed,
    StoreUnavailable,
)
from tenants.keys import queries
from tenants.keys.queries import keyrings
from tenants.keys.queries.cache import KeyringCache
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

MakeCipher = Callable[[TenantRef], BoundCipher]


class KeyringClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> KeyringClock:
    """The clock of a keyring cache that replaces the cache of the process."""
    clock = KeyringClock()
    cache = KeyringCache(keyrings._load_keyring, ttl=keyrings.KEYRING_TTL, max_entries=8, clock=clock)
    monkeypatch.setattr(keyrings, "_cache", cache)
    return clock


def test_two_processes_decrypt_each_others_values(
    keyed_tenant: TenantRef, make_review_cipher: MakeCipher
) -> None:
    assert (
        make_review_cipher(keyed_tenant).open(make_review_cipher(keyed_tenant).seal(b"x", b"row"), b"row")
        == b"x"
    )


def test_pseudonyms_are_the_same_in_every_process(keyed_tenant: TenantRef) -> None:
    before = queries.get_keyring(keyed_tenant).derive_pseudonym("uid", "anna")
    queries.forget_keyring(keyed_tenant)
    assert queries.get_keyring(keyed_tenant).derive_pseudonym("uid", "anna") == before


def test_a_stranger_opens_nothing(
    keyed_tenant: TenantRef, stranger: TenantRef, make_review_cipher: MakeCipher
) -> None:
    with pytest.raises(DecryptionFailed):
        make_review_cipher(stranger).open(make_review_cipher(keyed_tenant).seal(b"x", b"row"), b"row")
    names = [
        queries.get_keyring(tenant).derive_pseudonym("uid", "anna") for tenant in (keyed_tenant, stranger)
    ]
    assert names[0] != names[1]


def test_a_keyring_loads_inside_an_open_scope(keyed_tenant: TenantRef, actor: Actor) -> None:
    queries.forget_keyring(keyed_tenant)
    with scope(keyed_tenant, actor=actor) as s:
        assert len(queries.get_keyring(keyed_tenant).derive_pseudonym("uid", "anna")) == 16
        assert s.cursor().execute("SELECT app.current_tenant()").fetchone() == (keyed_tenant.id,)


def test_an_unknown_tenant_has_no_keys_and_an_unknown_region_is_refused(database: None) -> None:
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(TenantRef(uuid4(), "eu"))
    with pytest.raises(RegionNotServed):
        queries.get_keyring(TenantRef(uuid4(), "mars"))


def test_the_same_tenant_in_another_region_has_no_keys_there(keyed_tenant: TenantRef) -> None:
    queries.get_keyring(keyed_tenant)
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(TenantRef(keyed_tenant.id, "cn"))


def test_a_cached_keyring_is_used_until_it_expires_if_the_key_service_is_unavailable(
    keyed_tenant: TenantRef, clock: KeyringClock, silence_kms: Callable[[], None]
) -> None:
    cached = queries.get_keyring(keyed_tenant)
    silence_kms()
    clock.now = 59.9
    assert queries.get_keyring(keyed_tenant) is cached
    clock.now = 60.0
    with pytest.raises(KeyServiceUnavailable):
        queries.get_keyring(keyed_tenant)


def test_an_unavailable_keys_database_is_reported_as_an_unavailable_key_service(
    keyed_tenant: TenantRef, clock: KeyringClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def raise_store_unavailable(*_: object, **__: object):  # type: ignore[no-untyped-def]
        raise StoreUnavailable
        yield

    monkeypatch.setattr(keyrings, "keys_scope", raise_store_unavailable)
    with pytest.raises(KeyServiceUnavailable):
        queries.get_keyring(keyed_tenant)


def test_every_purpose_has_a_cipher_or_a_hash(keyed_tenant: TenantRef) -> None:
    keyring = queries.get_keyring(keyed_tenant)
    sealing = [purpose for purpose in Purpose if purpose not in ("pseudonym", "tombstone")]
    ids = {keyring.get_primary_aead(purpose)[0] for purpose in sealing}
    assert len(ids) == len(sealing) == len(Purpose) - 2
    assert keyring.derive_pseudonym("a", "b") != keyring.derive_tombstone(b"b")[:16]
