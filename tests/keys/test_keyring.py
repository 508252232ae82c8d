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

FreshCipher = Callable[[TenantRef], BoundCipher]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The process's own cache, on a clock that the test turns."""
    clock = Clock()
    cache = KeyringCache(keyrings._load_keyring, ttl=keyrings.KEYRING_TTL, max_entries=8, clock=clock)
    monkeypatch.setattr(keyrings, "_cache", cache)
    return clock


def test_two_processes_read_each_other(keyed: TenantRef, review_cipher: FreshCipher) -> None:
    assert review_cipher(keyed).open(review_cipher(keyed).seal(b"x", b"row"), b"row") == b"x"


def test_pseudonyms_are_the_same_in_every_process(keyed: TenantRef) -> None:
    before = queries.get_keyring(keyed).derive_pseudonym("uid", "anna")
    queries.forget_keyring(keyed)
    assert queries.get_keyring(keyed).derive_pseudonym("uid", "anna") == before


def test_a_stranger_opens_nothing(keyed: TenantRef, stranger: TenantRef, review_cipher: FreshCipher) -> None:
    with pytest.raises(DecryptionFailed):
        review_cipher(stranger).open(review_cipher(keyed).seal(b"x", b"row"), b"row")
    names = [queries.get_keyring(tenant).derive_pseudonym("uid", "anna") for tenant in (keyed, stranger)]
    assert names[0] != names[1]


def test_it_loads_inside_an_open_scope_on_the_tenants_data(keyed: TenantRef, actor: Actor) -> None:
    queries.forget_keyring(keyed)
    with scope(keyed, actor=actor) as s:
        assert len(queries.get_keyring(keyed).derive_pseudonym("uid", "anna")) == 16
        assert s.cursor().execute("SELECT app.current_tenant()").fetchone() == (keyed.id,)


def test_an_unknown_tenant_has_none_and_another_region_is_refused(database: None) -> None:
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(TenantRef(uuid4(), "eu"))
    with pytest.raises(RegionNotServed):
        queries.get_keyring(TenantRef(uuid4(), "mars"))


def test_the_same_tenant_in_another_region_has_no_keys_there(keyed: TenantRef) -> None:
    queries.get_keyring(keyed)
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        queries.get_keyring(TenantRef(keyed.id, "cn"))


def test_a_cached_keyring_outlives_a_silent_key_service_until_its_time(
    keyed: TenantRef, clock: Clock, silence_kms: Callable[[], None]
) -> None:
    cached = queries.get_keyring(keyed)
    silence_kms()
    clock.now = 59.9
    assert queries.get_keyring(keyed) is cached
    clock.now = 60.0
    with pytest.raises(KeyServiceUnavailable):
        queries.get_keyring(keyed)


def test_a_lost_keys_database_is_an_unavailable_key_service(
    keyed: TenantRef, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def lost(*_: object, **__: object):  # type: ignore[no-untyped-def]
        raise StoreUnavailable
        yield

    monkeypatch.setattr(keyrings, "keys_scope", lost)
    with pytest.raises(KeyServiceUnavailable):
        queries.get_keyring(keyed)


def test_every_purpose_gives_a_cipher_or_a_hash(keyed: TenantRef) -> None:
    ring = queries.get_keyring(keyed)
    sealing = [purpose for purpose in Purpose if purpose not in ("pseudonym", "tombstone")]
    ids = {ring.get_primary_aead(purpose)[0] for purpose in sealing}
    assert len(ids) == len(sealing) == len(Purpose) - 2
    assert ring.derive_pseudonym("a", "b") != ring.derive_tombstone(b"b")[:16]
