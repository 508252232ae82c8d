"""Authentication maps a key to its tenant. Every invalid key gets the same error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from tenants.control.actions import (
    activate_tenant,
    resume_tenant,
    revoke_api_key,
    rotate_api_key,
    suspend_tenant,
)
from tenants.control.key_format import mint_api_key
from tenants.control.models import ApiKey
from tenants.control.queries import authenticate, authentication
from tenants.control.read_models import NewApiKey
from tenants.errors import DomainError, RegionNotServed, StoreUnavailable, TenantSuspended, Unauthenticated
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

CLIENT_IP = "127.0.0.1"
MakeKey = Callable[..., NewApiKey]


def get_refusal(raw: str, ip: str = CLIENT_IP) -> tuple[type[DomainError], str, str]:
    with pytest.raises(DomainError) as caught:
        authenticate(raw, remote_ip=ip)
    return type(caught.value), caught.value.code, caught.value.detail


class CacheClock:
    """Replaces the `time` module in the key cache."""

    def __init__(self, real: Any) -> None:
        self._real, self.ahead = real, 0.0

    def monotonic(self) -> float:
        return float(self._real.monotonic()) + self.ahead

    def time(self) -> float:
        return float(self._real.time()) + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> CacheClock:
    cache_clock = CacheClock(authentication.time)
    monkeypatch.setattr(authentication, "time", cache_clock)
    return cache_clock


def update_key(tenant: TenantRef, key_id: str, actor: Actor, **values: object) -> None:
    """Changes the row as another process would: the cache of this process is not invalidated."""
    with control_scope(tenant.id, actor=actor):
        ApiKey.objects.filter(tenant_id=tenant.id, id=key_id).update(**values)


def test_a_valid_key_resolves_to_its_tenant_scopes_and_id(tenant: TenantRef, make_key: MakeKey) -> None:
    created = make_key(tenant, scopes=["items:read", "events:write"])
    identity = authenticate(created.secret, remote_ip=CLIENT_IP)
    assert (identity.tenant, identity.scopes) == (tenant, {"items:read", "events:write"})
    assert (identity.key_id, identity.actor) == (created.key.id, Actor("key", created.key.id))
    assert (identity.vertical, identity.plan) == ("ecommerce", "growth")


def test_unknown_mistyped_expired_revoked_and_misplaced_keys_get_the_same_error(
    tenant: TenantRef, make_key: MakeKey, actor: Actor
) -> None:
    expired, revoked, misplaced = make_key(tenant), make_key(tenant), make_key(tenant, cidrs=["192.0.2.0/24"])
    update_key(tenant, expired.key.id, actor, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with control_scope(tenant.id, actor=actor) as s:
        revoke_api_key(s, revoked.key.id)
    created = make_key(tenant)
    wrong_secret = mint_api_key("eu")[0]
    forged = f"lep_live_eu_{created.key.id}_{wrong_secret.secret}"
    forged += compute_key_checksum(forged)
    typo = created.secret[:-1] + ("0" if created.secret[-1] != "0" else "1")
    keys = [
        mint_api_key("eu")[1],
        typo,
        "",
        "nonsense",
        forged,
        expired.secret,
        revoked.secret,
        misplaced.secret,
    ]
    assert {get_refusal(key) for key in keys} == {(Unauthenticated, "unauthenticated", get_refusal("")[2])}


def compute_key_checksum(body: str) -> str:
    from tenants.control.key_format import compute_checksum

    return compute_checksum(body)


def test_a_key_of_an_unknown_region_is_unauthenticated(database: None) -> None:
    assert get_refusal(mint_api_key("mars")[1])[0] is Unauthenticated


def test_a_mistyped_key_and_an_unserved_region_cause_no_query(
    database: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.LEPTON_SERVED_REGIONS = ("eu",)
    connection = connections["default"]
    with django_assert_num_queries(0, connection=connection):
        assert get_refusal("lep_live_eu_mistyped")[0] is Unauthenticated
        assert get_refusal(mint_api_key("us")[1])[0] is RegionNotServed


def test_a_key_whose_text_names_another_region_than_its_tenant_is_refused(
    tenant: TenantRef, make_key: MakeKey
) -> None:
    body = make_key(tenant).secret[:-6].replace("lep_live_eu_", "lep_live_us_")
    assert get_refusal(body + compute_key_checksum(body))[0] is Unauthenticated


@pytest.mark.parametrize("ip", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"])
def test_a_key_bound_to_networks_is_valid_inside_them(tenant: TenantRef, make_key: MakeKey, ip: str) -> None:
    created = make_key(tenant, cidrs=["192.0.2.0/24", "2001:db8::/32"])
    assert authenticate(created.secret, remote_ip=ip).tenant == tenant


@pytest.mark.parametrize("ip", ["198.51.100.7", "not an address", ""])
def test_a_cached_key_is_still_bound_to_its_networks(tenant: TenantRef, make_key: MakeKey, ip: str) -> None:
    created = make_key(tenant, cidrs=["192.0.2.0/24"])
    authenticate(created.secret, remote_ip="192.0.2.7")
    assert get_refusal(created.secret, ip)[0] is Unauthenticated


def test_a_revocation_in_another_process_takes_effect_within_five_seconds(
    tenant: TenantRef, make_key: MakeKey, actor: Actor, clock: CacheClock
) -> None:
    created = make_key(tenant)
    authenticate(created.secret, remote_ip=CLIENT_IP)
    update_key(tenant, created.key.id, actor, revoked_at=datetime.now(UTC))
    clock.ahead = 5.0
    assert get_refusal(created.secret)[0] is Unauthenticated


def test_a_cached_key_causes_no_query(
    tenant: TenantRef, make_key: MakeKey, django_assert_num_queries: Any
) -> None:
    created = make_key(tenant)
    authenticate(created.secret, remote_ip=CLIENT_IP)
    with django_assert_num_queries(0, connection=connections["default"]):
        authenticate(created.secret, remote_ip=CLIENT_IP)


def test_a_key_that_expires_while_cached_is_refused_at_once(
    tenant: TenantRef, make_key: MakeKey, clock: CacheClock
) -> None:
    created = make_key(tenant, expires_at=datetime.now(UTC) + timedelta(seconds=2))
    authenticate(created.secret, remote_ip=CLIENT_IP)
    clock.ahead = 3.0
    assert get_refusal(created.secret)[0] is Unauthenticated


def test_after_rotation_both_keys_work_until_the_overlap_ends(
    tenant: TenantRef, make_key: MakeKey, actor: Actor, clock: CacheClock
) -> None:
    old = make_key(tenant)
    with control_scope(tenant.id, actor=actor) as s:
        new = rotate_api_key(s, old.key.id, overlap=timedelta(hours=1))
    assert {authenticate(key, remote_ip=CLIENT_IP).tenant for key in (old.secret, new.secret)} == {tenant}
    clock.ahead = 3_601
    assert get_refusal(old.secret)[0] is Unauthenticated
    assert authenticate(new.secret, remote_ip=CLIENT_IP).key_id == new.key.id


def test_a_suspended_tenant_gets_a_distinct_error_until_it_is_resumed(
    tenant: TenantRef, make_key: MakeKey
) -> None:
    created, staff = make_key(tenant), Actor("staff", "ops")
    authenticate(created.secret, remote_ip=CLIENT_IP)
    with control_scope(tenant.id, actor=staff) as s:
        suspend_tenant(s, reason="unpaid")
    assert get_refusal(created.secret)[0] is TenantSuspended
    with control_scope(tenant.id, actor=staff) as s:
        resume_tenant(s, reason="paid")
    assert authenticate(created.secret, remote_ip=CLIENT_IP).tenant == tenant


def test_a_wrong_secret_does_not_reveal_a_suspension(tenant: TenantRef, make_key: MakeKey) -> None:
    created = make_key(tenant)
    with control_scope(tenant.id, actor=Actor("staff", "ops")) as s:
        suspend_tenant(s, reason="unpaid")
    body = f"lep_live_eu_{created.key.id}_{mint_api_key('eu')[0].secret}"
    assert get_refusal(body + compute_key_checksum(body))[0] is Unauthenticated


def test_a_suspended_tenant_cannot_be_activated(tenant: TenantRef) -> None:
    with control_scope(tenant.id, actor=Actor("staff", "ops")) as s:
        suspend_tenant(s, reason="unpaid")
        with pytest.raises(DomainError, match="resumed"):
            activate_tenant(s)


def test_a_stolen_table_verifies_no_key_without_the_pepper(
    tenant: TenantRef, make_key: MakeKey, settings: Any
) -> None:
    created = make_key(tenant)
    settings.LEPTON_KEY_PEPPER = b"\0" * 32
    assert get_refusal(created.secret)[0] is Unauthenticated


def test_no_part_of_the_secret_is_stored(tenant: TenantRef, make_key: MakeKey, superuser: Any) -> None:
    created = make_key(tenant)
    secret = created.secret.rsplit("_", 1)[1][:-6]
    row = superuser().execute(
        "SELECT k::text, encode(secret_hmac, 'escape') FROM control_apikey k WHERE id = %s", [created.key.id]
    )
    stored = " ".join(row.fetchone())
    assert created.key.id in stored
    assert [n for n in range(len(secret) - 7) if secret[n : n + 8] in stored] == []


def test_an_unavailable_control_database_is_not_reported_as_a_wrong_key(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def raise_lost_connection(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(connections["default"], "cursor", raise_lost_connection)
    assert get_refusal(mint_api_key("eu")[1])[0] is StoreUnavailable


def test_the_cache_is_bounded(tenant: TenantRef, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "_MAX_ENTRIES", 2)
    for _ in range(4):
        authenticate(make_key(tenant).secret, remote_ip=CLIENT_IP)
    assert len(authentication._cached_keys) == 2


def test_identities_cannot_be_changed_by_a_caller(tenant: TenantRef, make_key: MakeKey) -> None:
    identity = authenticate(make_key(tenant).secret, remote_ip=CLIENT_IP)
    with pytest.raises(AttributeError):
        identity.plan = "enterprise"  # type: ignore[misc]
    assert replace(identity, plan="free").plan == "free"


def test_the_pepper_has_at_least_32_bytes() -> None:
    assert len(settings.LEPTON_KEY_PEPPER) >= 32
