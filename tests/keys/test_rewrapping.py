from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from tenants.crypto import BoundCipher, Purpose
from tenants.errors import KeyServiceUnavailable, RegionNotServed
from tenants.keys import queries, wrapped_keys
from tenants.keys.actions import rewrap_tenant_keys, rotate_region_kek, rotate_tenant_kek
from tenants.keys.models import KeyState, TenantKey
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope

MakeCipher = Callable[[TenantRef], BoundCipher]


def _load_kek_rows(tenant: TenantRef, actor: Actor) -> list[tuple[int, str, bytes]]:
    with keys_scope(tenant, actor=actor):
        rows = TenantKey.objects.filter(tenant_id=tenant.id).order_by("version")
        return [(row.version, row.state, bytes(row.wrapped)) for row in rows]


def test_a_new_tenant_kek_rewraps_all_keys_and_destroys_the_old_kek(
    keyed_tenant: TenantRef, actor: Actor, make_review_cipher: MakeCipher
) -> None:
    sealed = make_review_cipher(keyed_tenant).seal(b"x", b"row")
    assert rotate_tenant_kek(keyed_tenant, actor=actor) == len(Purpose)
    old, new = _load_kek_rows(keyed_tenant, actor)
    assert old == (1, KeyState.DESTROYED, b"")
    assert new[:2] == (2, KeyState.ACTIVE)
    assert {key.kek_version for key in queries.list_keys(keyed_tenant, actor=actor)} == {2}
    assert make_review_cipher(keyed_tenant).open(sealed, b"row") == b"x"


def test_concurrent_kek_rotations_all_succeed(
    keyed_tenant: TenantRef, actor: Actor, make_review_cipher: MakeCipher
) -> None:
    sealed = make_review_cipher(keyed_tenant).seal(b"x", b"row")

    def rotate(_: int) -> int:
        try:
            return rotate_tenant_kek(keyed_tenant, actor=actor)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        moved = list(threads.map(rotate, range(4)))
    assert moved == [len(Purpose)] * 4
    assert [row[:2] for row in _load_kek_rows(keyed_tenant, actor)] == [
        *((version, KeyState.DESTROYED) for version in range(1, 5)),
        (5, KeyState.ACTIVE),
    ]
    assert make_review_cipher(keyed_tenant).open(sealed, b"row") == b"x"


def test_a_new_region_key_rewraps_every_tenant_and_changes_no_data_key(
    make_keyed_tenant: Callable[..., TenantRef], actor: Actor, make_review_cipher: MakeCipher
) -> None:
    tenants = [make_keyed_tenant("us") for _ in range(3)]
    sealed = [make_review_cipher(tenant).seal(b"x", b"row") for tenant in tenants]
    before = [_load_kek_rows(tenant, actor) for tenant in tenants]
    assert rotate_region_kek("us", actor=actor) >= 3
    after = [_load_kek_rows(tenant, actor) for tenant in tenants]
    opened = [make_review_cipher(t).open(blob, b"row") for t, blob in zip(tenants, sealed, strict=True)]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert opened == [b"x"] * 3


def test_after_a_rewrap_the_old_region_key_is_not_used(
    make_keyed_tenant: Callable[..., TenantRef], actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_keyed_tenant("cn")
    rotate_region_kek("cn", actor=actor)
    with keys_scope(tenant, actor=actor):
        wrapped = bytes(TenantKey.objects.get(tenant_id=tenant.id).wrapped)
    root_version = int.from_bytes(wrapped[:4], "big")
    assert root_version == wrapped_keys.get_kms("cn")._read_keys().newest > 1  # type: ignore[attr-defined]


def test_other_regions_are_not_touched(make_keyed_tenant: Callable[..., TenantRef], actor: Actor) -> None:
    european = make_keyed_tenant("eu")
    before = _load_kek_rows(european, actor)
    rotate_region_kek("us", actor=actor)
    assert _load_kek_rows(european, actor) == before


def test_rewrapping_can_be_retried_after_the_key_service_was_unavailable(
    make_keyed_tenant: Callable[..., TenantRef],
    actor: Actor,
    make_review_cipher: MakeCipher,
    silence_kms: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = make_keyed_tenant("us")
    sealed = make_review_cipher(tenant).seal(b"x", b"row")
    silence_kms()
    with pytest.raises(KeyServiceUnavailable):
        rewrap_tenant_keys("us", actor=actor)
    monkeypatch.undo()
    assert rewrap_tenant_keys("us", actor=actor) >= 1
    assert make_review_cipher(tenant).open(sealed, b"row") == b"x"


def test_a_region_that_is_not_served_is_refused(database: None, actor: Actor) -> None:
    with pytest.raises(RegionNotServed):
        rotate_region_kek("mars", actor=actor)


def test_listing_all_tenants_gives_no_access_to_purpose_keys(
    keyed_tenant: TenantRef, actor: Actor, superuser: Callable[..., Any]
) -> None:
    assert keyed_tenant.id in queries.list_tenants_with_keys("eu", actor=actor)
    guard = superuser("keys_eu").execute(
        "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'keys_purposekey'::regclass"
    )
    assert "is_ops" not in guard.fetchone()[0]
    assert set(settings.LEPTON_REGIONS) == {"cn", "eu", "us"}
