"""From a key to its tenant: one answer for everything that is wrong with it."""

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
from tenants.control.queries import authenticate
from tenants.control.queries import authentication as cached
from tenants.control.read_models import NewApiKey
from tenants.errors import DomainError, RegionNotServed, StoreUnavailable, TenantSuspended, Unauthenticated
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

HOME = "127.0.0.1"
NewKey = Callable[..., NewApiKey]


def refusal(raw: str, ip: str = HOME) -> tuple[type[DomainError], str, str]:
    with pytest.raises(DomainError) as caught:
        authenticate(raw, remote_ip=ip)
    return type(caught.value), caught.value.code, caught.value.detail


class Clock:
    """Stands in for the `time` module of the cache."""

    def __init__(self, real: Any) -> None:
        self._real, self.ahead = real, 0.0

    def monotonic(self) -> float:
        return float(self._real.monotonic()) + self.ahead

    def time(self) -> float:
        return float(self._real.time()) + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock(cached.time)
    monkeypatch.setattr(cached, "time", moved)
    return moved


def change(tenant: TenantRef, key_id: str, actor: Actor, **values: object) -> None:
    """Behind the action's back, as another process would: this process's cache is not told."""
    with control_scope(tenant.id, actor=actor):
        ApiKey.objects.filter(tenant_id=tenant.id, id=key_id).update(**values)


def test_a_valid_key_names_its_tenant_scopes_and_itself(tenant: TenantRef, new_key: NewKey) -> None:
    created = new_key(tenant, scopes=["items:read", "events:write"])
    who = authenticate(created.secret, remote_ip=HOME)
    assert (who.tenant, who.scopes) == (tenant, {"items:read", "events:write"})
    assert (who.key_id, who.actor) == (created.key.id, Actor("key", created.key.id))
    assert (who.vertical, who.plan) == ("ecommerce", "growth")


def test_unknown_mistyped_expired_revoked_and_misplaced_keys_have_one_answer(
    tenant: TenantRef, new_key: NewKey, actor: Actor
) -> None:
    expired, revoked, misplaced = new_key(tenant), new_key(tenant), new_key(tenant, cidrs=["192.0.2.0/24"])
    change(tenant, expired.key.id, actor, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with control_scope(tenant.id, actor=actor) as s:
        revoke_api_key(s, revoked.key.id)
    created = new_key(tenant)
    wrong_secret = mint_api_key("eu")[0]
    forged = f"lep_live_eu_{created.key.id}_{wrong_secret.secret}"
    forged += cached_checksum(forged)
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
    assert {refusal(key) for key in keys} == {(Unauthenticated, "unauthenticated", refusal("")[2])}


def cached_checksum(body: str) -> str:
    from tenants.control.key_format import compute_checksum

    return compute_checksum(body)


def test_a_key_of_a_region_that_nobody_knows_is_unauthenticated(database: None) -> None:
    assert refusal(mint_api_key("mars")[1])[0] is Unauthenticated


def test_a_mistyped_key_and_an_unserved_region_cost_no_query(
    database: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.LEPTON_SERVED_REGIONS = ("eu",)
    connection = connections["default"]
    with django_assert_num_queries(0, connection=connection):
        assert refusal("lep_live_eu_mistyped")[0] is Unauthenticated
        assert refusal(mint_api_key("us")[1])[0] is RegionNotServed


def test_a_key_whose_text_names_another_region_than_its_tenant_is_refused(
    tenant: TenantRef, new_key: NewKey
) -> None:
    body = new_key(tenant).secret[:-6].replace("lep_live_eu_", "lep_live_us_")
    assert refusal(body + cached_checksum(body))[0] is Unauthenticated


@pytest.mark.parametrize("ip", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"])
def test_a_key_bound_to_networks_works_from_inside(tenant: TenantRef, new_key: NewKey, ip: str) -> None:
    created = new_key(tenant, cidrs=["192.0.2.0/24", "2001:db8::/32"])
    assert authenticate(created.secret, remote_ip=ip).tenant == tenant


@pytest.mark.parametrize("ip", ["198.51.100.7", "not an address", ""])
def test_a_cached_key_is_still_bound_to_its_networks(tenant: TenantRef, new_key: NewKey, ip: str) -> None:
    created = new_key(tenant, cidrs=["192.0.2.0/24"])
    authenticate(created.secret, remote_ip="192.0.2.7")
    assert refusal(created.secret, ip)[0] is Unauthenticated


def test_a_revocation_in_another_process_takes_effect_within_five_seconds(
    tenant: TenantRef, new_key: NewKey, actor: Actor, clock: Clock
) -> None:
    created = new_key(tenant)
    authenticate(created.secret, remote_ip=HOME)
    change(tenant, created.key.id, actor, revoked_at=datetime.now(UTC))
    clock.ahead = 5.0
    assert refusal(created.secret)[0] is Unauthenticated


def test_between_two_look_ups_nothing_is_asked(
    tenant: TenantRef, new_key: NewKey, django_assert_num_queries: Any
) -> None:
    created = new_key(tenant)
    authenticate(created.secret, remote_ip=HOME)
    with django_assert_num_queries(0, connection=connections["default"]):
        authenticate(created.secret, remote_ip=HOME)


def test_a_key_that_expires_while_cached_stops_at_once(
    tenant: TenantRef, new_key: NewKey, clock: Clock
) -> None:
    created = new_key(tenant, expires_at=datetime.now(UTC) + timedelta(seconds=2))
    authenticate(created.secret, remote_ip=HOME)
    clock.ahead = 3.0
    assert refusal(created.secret)[0] is Unauthenticated


def test_after_rotation_both_keys_work_until_the_overlap_ends(
    tenant: TenantRef, new_key: NewKey, actor: Actor, clock: Clock
) -> None:
    old = new_key(tenant)
    with control_scope(tenant.id, actor=actor) as s:
        new = rotate_api_key(s, old.key.id, overlap=timedelta(hours=1))
    assert {authenticate(key, remote_ip=HOME).tenant for key in (old.secret, new.secret)} == {tenant}
    clock.ahead = 3_601
    assert refusal(old.secret)[0] is Unauthenticated
    assert authenticate(new.secret, remote_ip=HOME).key_id == new.key.id


def test_a_suspended_tenant_is_told_so_and_works_again_when_resumed(
    tenant: TenantRef, new_key: NewKey
) -> None:
    created, staff = new_key(tenant), Actor("staff", "ops")
    authenticate(created.secret, remote_ip=HOME)
    with control_scope(tenant.id, actor=staff) as s:
        suspend_tenant(s, reason="unpaid")
    assert refusal(created.secret)[0] is TenantSuspended
    with control_scope(tenant.id, actor=staff) as s:
        resume_tenant(s, reason="paid")
    assert authenticate(created.secret, remote_ip=HOME).tenant == tenant


def test_a_wrong_secret_learns_nothing_about_a_suspension(tenant: TenantRef, new_key: NewKey) -> None:
    created = new_key(tenant)
    with control_scope(tenant.id, actor=Actor("staff", "ops")) as s:
        suspend_tenant(s, reason="unpaid")
    body = f"lep_live_eu_{created.key.id}_{mint_api_key('eu')[0].secret}"
    assert refusal(body + cached_checksum(body))[0] is Unauthenticated


def test_a_suspended_tenant_is_not_activated_by_setting_it_up_again(tenant: TenantRef) -> None:
    with control_scope(tenant.id, actor=Actor("staff", "ops")) as s:
        suspend_tenant(s, reason="unpaid")
        with pytest.raises(DomainError, match="resumed"):
            activate_tenant(s)


def test_a_stolen_table_verifies_no_key_without_the_pepper(
    tenant: TenantRef, new_key: NewKey, settings: Any
) -> None:
    created = new_key(tenant)
    settings.LEPTON_KEY_PEPPER = b"\0" * 32
    assert refusal(created.secret)[0] is Unauthenticated


def test_no_part_of_the_secret_is_stored(tenant: TenantRef, new_key: NewKey, superuser: Any) -> None:
    created = new_key(tenant)
    secret = created.secret.rsplit("_", 1)[1][:-6]
    row = superuser().execute(
        "SELECT k::text, encode(secret_hmac, 'escape') FROM control_apikey k WHERE id = %s", [created.key.id]
    )
    stored = " ".join(row.fetchone())
    assert created.key.id in stored
    assert [n for n in range(len(secret) - 7) if secret[n : n + 8] in stored] == []


def test_a_directory_that_does_not_answer_is_not_a_wrong_key(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def lost(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(connections["default"], "cursor", lost)
    assert refusal(mint_api_key("eu")[1])[0] is StoreUnavailable


def test_the_cache_is_bounded(tenant: TenantRef, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "_MAX_ENTRIES", 2)
    for _ in range(4):
        authenticate(new_key(tenant).secret, remote_ip=HOME)
    assert len(cached._cached_keys) == 2


def test_identities_cannot_be_changed_by_a_caller(tenant: TenantRef, new_key: NewKey) -> None:
    who = authenticate(new_key(tenant).secret, remote_ip=HOME)
    with pytest.raises(AttributeError):
        who.plan = "enterprise"  # type: ignore[misc]
    assert replace(who, plan="free").plan == "free"


def test_the_pepper_of_this_run_is_long_enough() -> None:
    assert len(settings.LEPTON_KEY_PEPPER) >= 32
