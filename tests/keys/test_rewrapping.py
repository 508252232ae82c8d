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

FreshCipher = Callable[[TenantRef], BoundCipher]


def _kek_rows(tenant: TenantRef, actor: Actor) -> list[tuple[int, str, bytes]]:
    with keys_scope(tenant, actor=actor):
        rows = TenantKey.objects.filter(tenant_id=tenant.id).order_by("version")
        return [(row.version, row.state, bytes(row.wrapped)) for row in rows]


def test_a_new_tenant_kek_moves_all_keys_and_leaves_no_old_one(
    keyed: TenantRef, actor: Actor, review_cipher: FreshCipher
) -> None:
    sealed = review_cipher(keyed).seal(b"x", b"row")
    assert rotate_tenant_kek(keyed, actor=actor) == len(Purpose)
    old, new = _kek_rows(keyed, actor)
    assert old == (1, KeyState.DESTROYED, b"")
    assert new[:2] == (2, KeyState.ACTIVE)
    assert {key.kek_version for key in queries.list_keys(keyed, actor=actor)} == {2}
    assert review_cipher(keyed).open(sealed, b"row") == b"x"


def test_kek_rotations_at_the_same_moment_queue_and_all_succeed(
    keyed: TenantRef, actor: Actor, review_cipher: FreshCipher
) -> None:
    sealed = review_cipher(keyed).seal(b"x", b"row")

    def rotate(_: int) -> int:
        try:
            return rotate_tenant_kek(keyed, actor=actor)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        moved = list(threads.map(rotate, range(4)))
    assert moved == [len(Purpose)] * 4
    assert [row[:2] for row in _kek_rows(keyed, actor)] == [
        *((version, KeyState.DESTROYED) for version in range(1, 5)),
        (5, KeyState.ACTIVE),
    ]
    assert review_cipher(keyed).open(sealed, b"row") == b"x"


def test_a_new_region_key_rewraps_every_tenant_and_changes_no_data_key(
    make_keyed: Callable[..., TenantRef], actor: Actor, review_cipher: FreshCipher
) -> None:
    tenants = [make_keyed("us") for _ in range(3)]
    sealed = [review_cipher(tenant).seal(b"x", b"row") for tenant in tenants]
    before = [_kek_rows(tenant, actor) for tenant in tenants]
    assert rotate_region_kek("us", actor=actor) >= 3
    after = [_kek_rows(tenant, actor) for tenant in tenants]
    opened = [review_cipher(t).open(blob, b"row") for t, blob in zip(tenants, sealed, strict=True)]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert opened == [b"x"] * 3


def test_after_a_rewrap_the_old_region_key_can_go(
    make_keyed: Callable[..., TenantRef], actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_keyed("cn")
    rotate_region_kek("cn", actor=actor)
    with keys_scope(tenant, actor=actor):
        wrapped = bytes(TenantKey.objects.get(tenant_id=tenant.id).wrapped)
    number = int.from_bytes(wrapped[:4], "big")
    assert number == wrapped_keys.get_kms("cn")._read_keys().newest > 1  # type: ignore[attr-defined]


def test_other_regions_are_not_touched(make_keyed: Callable[..., TenantRef], actor: Actor) -> None:
    european = make_keyed("eu")
    before = _kek_rows(european, actor)
    rotate_region_kek("us", actor=actor)
    assert _kek_rows(european, actor) == before


def test_rewrapping_may_run_again_after_the_key_service_fell_silent(
    make_keyed: Callable[..., TenantRef],
    actor: Actor,
    review_cipher: FreshCipher,
    silence_kms: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = make_keyed("us")
    sealed = review_cipher(tenant).seal(b"x", b"row")
    silence_kms()
    with pytest.raises(KeyServiceUnavailable):
        rewrap_tenant_keys("us", actor=actor)
    monkeypatch.undo()
    assert rewrap_tenant_keys("us", actor=actor) >= 1
    assert review_cipher(tenant).open(sealed, b"row") == b"x"


def test_a_region_that_is_not_served_is_refused(database: None, actor: Actor) -> None:
    with pytest.raises(RegionNotServed):
        rotate_region_kek("mars", actor=actor)


def test_the_visit_of_all_tenants_sees_no_purpose_key(
    keyed: TenantRef, actor: Actor, superuser: Callable[..., Any]
) -> None:
    assert keyed.id in queries.list_tenants_with_keys("eu", actor=actor)
    guard = superuser("keys_eu").execute(
        "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'keys_purposekey'::regclass"
    )
    assert "is_ops" not in guard.fetchone()[0]
    assert set(settings.LEPTON_REGIONS) == {"cn", "eu", "us"}
