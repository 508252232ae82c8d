from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tenants.crypto import Keyring
from tenants.errors import KeyServiceUnavailable
from tenants.keys.queries.cache import KeyringCache
from tenants.regions import TenantRef

ONE, OTHER, THIRD = (TenantRef(uuid4(), "eu") for _ in range(3))


class Source:
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
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source) -> KeyringCache:
    return KeyringCache(source, ttl=timedelta(seconds=60), max_entries=2, clock=lambda: source.now)


def test_a_tenant_gets_its_own_keyring_and_no_other(cache: KeyringCache) -> None:
    for tenant in (ONE, OTHER, ONE, OTHER):
        loaded = cache.get(tenant)
        assert (loaded.region, loaded.tenant) == (tenant.region, tenant.id)


def test_the_same_id_in_another_region_is_another_tenant(cache: KeyringCache) -> None:
    moved = TenantRef(UUID(int=ONE.id.int), "cn")
    assert cache.get(ONE).region == "eu"
    assert cache.get(moved).region == "cn"


def test_it_loads_once_until_the_time_is_up(cache: KeyringCache, source: Source) -> None:
    first_ring = cache.get(ONE)
    source.now = 59.9
    assert cache.get(ONE) is first_ring
    source.now = 60.0
    assert cache.get(ONE) is not first_ring
    assert source.loaded == [ONE, ONE]


def test_the_least_recently_used_goes_first(cache: KeyringCache, source: Source) -> None:
    for tenant in (ONE, OTHER, ONE, THIRD, ONE):
        cache.get(tenant)
    assert (len(cache), source.loaded) == (2, [ONE, OTHER, THIRD])


def test_forget_drops_one_tenant_only(cache: KeyringCache, source: Source) -> None:
    cache.get(ONE)
    cache.get(OTHER)
    cache.forget(ONE)
    cache.get(OTHER)
    cache.get(ONE)
    assert source.loaded == [ONE, OTHER, ONE]


def test_a_failure_is_not_remembered(cache: KeyringCache, source: Source) -> None:
    source.fails = True
    with pytest.raises(KeyServiceUnavailable):
        cache.get(ONE)
    source.fails = False
    assert cache.get(ONE).tenant == ONE.id


def test_what_was_read_before_a_forget_does_not_come_back_after_it(source: Source) -> None:
    def load(tenant: TenantRef) -> Keyring:
        if not source.loaded:
            cache.forget(tenant)
        return source(tenant)

    cache = KeyringCache(load, ttl=timedelta(seconds=60), max_entries=2)
    cache.get(ONE)
    cache.get(ONE)
    cache.get(ONE)
    assert source.loaded == [ONE, ONE]
