from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tenants.crypto import Keyring
from tenants.errors import KeyServiceUnavailable
from tenants.keys.queries.cache import KeyringCache
from tenants.regions import TenantRef

TENANT_A, TENANT_B, TENANT_C = (TenantRef(uuid4(), "eu") for _ in range(3))


class KeyringSource:
    """Counts loads; each load is a new keyring."""

    def __init__(self) -> None:
        self.loaded: list[TenantRef] = []
        self.now = 0.0
        self.fails = False

    def __call__(self, tenant: TenantRef) -> Keyring:
        if self.fails:
            raise KeyServiceUnavailable
        self.loaded.append(tenant)
        return Keyring([], region=tenant.region, tenant=tenant.id)


@pytest.fixture
def source() -> KeyringSource:
    return KeyringSource()


@pytest.fixture
def cache(source: KeyringSource) -> KeyringCache:
    return KeyringCache(source, ttl=timedelta(seconds=60), max_entries=2, clock=lambda: source.now)


def test_a_tenant_gets_its_own_keyring_and_no_other(cache: KeyringCache) -> None:
    for tenant in (TENANT_A, TENANT_B, TENANT_A, TENANT_B):
        loaded = cache.get(tenant)
        assert (loaded.region, loaded.tenant) == (tenant.region, tenant.id)


def test_the_same_id_in_another_region_is_another_tenant(cache: KeyringCache) -> None:
    moved = TenantRef(UUID(int=TENANT_A.id.int), "cn")
    assert cache.get(TENANT_A).region == "eu"
    assert cache.get(moved).region == "cn"


def test_a_keyring_loads_once_until_it_expires(cache: KeyringCache, source: KeyringSource) -> None:
    first_keyring = cache.get(TENANT_A)
    source.now = 59.9
    assert cache.get(TENANT_A) is first_keyring
    source.now = 60.0
    assert cache.get(TENANT_A) is not first_keyring
    assert source.loaded == [TENANT_A, TENANT_A]


def test_the_least_recently_used_keyring_is_evicted(cache: KeyringCache, source: KeyringSource) -> None:
    for tenant in (TENANT_A, TENANT_B, TENANT_A, TENANT_C, TENANT_A):
        cache.get(tenant)
    assert (len(cache), source.loaded) == (2, [TENANT_A, TENANT_B, TENANT_C])


def test_forget_drops_one_tenant_only(cache: KeyringCache, source: KeyringSource) -> None:
    cache.get(TENANT_A)
    cache.get(TENANT_B)
    cache.forget(TENANT_A)
    cache.get(TENANT_B)
    cache.get(TENANT_A)
    assert source.loaded == [TENANT_A, TENANT_B, TENANT_A]


def test_a_failed_load_is_not_cached(cache: KeyringCache, source: KeyringSource) -> None:
    source.fails = True
    with pytest.raises(KeyServiceUnavailable):
        cache.get(TENANT_A)
    source.fails = False
    assert cache.get(TENANT_A).tenant == TENANT_A.id


def test_a_keyring_loaded_before_forget_is_not_cached_after_it(source: KeyringSource) -> None:
    def load(tenant: TenantRef) -> Keyring:
        if not source.loaded:
            cache.forget(tenant)
        return source(tenant)

    cache = KeyringCache(load, ttl=timedelta(seconds=60), max_entries=2)
    cache.get(TENANT_A)
    cache.get(TENANT_A)
    cache.get(TENANT_A)
    assert source.loaded == [TENANT_A, TENANT_A]
