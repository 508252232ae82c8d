"""The snapshot cache loads every tenant once, in the background and within a limit, and never a damaged model."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings

from recommender.registry import actions, artefacts, queries
from recommender.registry.types import TrainedModel
from recommender.serving.catalogue import index
from recommender.serving.recommend import recommend
from recommender.serving.snapshot.cache import SnapshotCache, get_snapshot_cache
from recommender.serving.snapshot.tenant_snapshot import EMPTY_SNAPSHOT, TenantSnapshot
from recommender.serving.types import RecommendRequest
from tenants.data.types import ItemInput, StoredItem
from tenants.errors import StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import Actor, scope


def get_artefact_folder(tenant: TenantRef, artefact_id: object) -> Path:
    root = settings.LEPTON_REGIONS[tenant.region].object_store_url.removeprefix("file://")
    return Path(root) / "models" / str(tenant.id) / str(artefact_id)


def publish_second_version(tenant: TenantRef, actor: Actor) -> int:
    """Publishes the files of the first version again, encrypted for an artefact of their own."""
    with scope(tenant, actor=actor) as s:
        version_1 = queries.get_version(s, 1)
    files = artefacts.read_artefact(tenant, version_1.artefact_id, version_1.manifest)
    artefact_id = uuid4()
    manifest = artefacts.write_artefact(tenant, artefact_id, files)
    trained_model = TrainedModel(
        job_id=uuid4(),
        artefact_id=artefact_id,
        profile="fast",
        manifest=manifest,
        metrics={"serving_mode": "model"},
        trained_at=version_1.trained_at,
        latest_event_at=None,
    )
    with scope(tenant, actor=actor) as s:
        return actions.publish_model(s, trained_model, expected=queries.get_active_number(s)).version


def test_a_damaged_artefact_keeps_the_previous_model_active(loaded_tenant: TenantRef, actor: Actor) -> None:
    number = publish_second_version(loaded_tenant, actor)
    with scope(loaded_tenant, actor=actor) as s:
        damaged = queries.get_version(s, number)
    file = get_artefact_folder(loaded_tenant, damaged.artefact_id) / "ensemble.json"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    snapshot = get_snapshot_cache().refresh_now(loaded_tenant)
    answer = recommend(loaded_tenant, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(loaded_tenant, actor=actor) as s:
        after = queries.get_version(s, number)
        assert queries.get_active_number(s) == 1
    assert (answer.stage, answer.model_version) == ("model", "v1")
    assert snapshot.version is not None
    assert (after.state, after.reason) == ("corrupt", "The model file ensemble.json is missing or damaged.")


def test_a_promoted_version_is_loaded(loaded_tenant: TenantRef, actor: Actor) -> None:
    number = publish_second_version(loaded_tenant, actor)
    snapshot = get_snapshot_cache().refresh_now(loaded_tenant)
    with scope(loaded_tenant, actor=actor) as s:
        actions.roll_back(s, expected=number)
    previous = get_snapshot_cache().refresh_now(loaded_tenant)
    assert snapshot.version is not None
    assert previous.version is not None
    assert (snapshot.version.version, previous.version.version) == (number, 1)


def test_an_unavailable_store_keeps_the_loaded_model_active(
    loaded_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_unavailable(*_args: object) -> object:
        raise StoreUnavailable("The object store does not answer.")

    number = publish_second_version(loaded_tenant, actor)
    monkeypatch.setattr(artefacts, "read_artefact", raise_unavailable)
    snapshot = get_snapshot_cache().refresh_now(loaded_tenant)
    answer = recommend(loaded_tenant, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(loaded_tenant, actor=actor) as s:
        actions.roll_back(s, expected=number)
    assert snapshot.version is not None
    assert snapshot.version.version == 1
    assert (answer.stage, answer.fallback_reason) == ("model", "The object store does not answer.")


def test_a_model_larger_than_the_limit_is_not_loaded(loaded_tenant: TenantRef) -> None:
    small_cache = SnapshotCache(limit_bytes=1)
    snapshot = small_cache.refresh_now(loaded_tenant)
    small_cache.stop()
    assert snapshot.bundle is None
    assert "LEPTON_MODEL_CACHE_MIB" in snapshot.model_problem


def _build_snapshot(count: int) -> TenantSnapshot:
    return replace(
        EMPTY_SNAPSHOT,
        catalogue=index.update_index(
            index.create_empty_index(), [StoredItem(n, 1, True, ItemInput(id=str(n))) for n in range(count)]
        ),
    )


def test_the_least_recently_used_tenant_is_evicted_above_the_limit() -> None:
    snapshot = _build_snapshot(100)
    tenant_a, tenant_b, tenant_c = (TenantRef(uuid4(), "eu") for _ in range(3))
    loads: list[TenantRef] = []

    def load(tenant: TenantRef, _old: TenantSnapshot, _limit: int) -> TenantSnapshot:
        loads.append(tenant)
        return snapshot

    cache = SnapshotCache(limit_bytes=int(snapshot.nbytes * 2.5), refresh=load)
    for tenant in (tenant_a, tenant_b, tenant_a, tenant_c, tenant_a):
        cache.get_snapshot(tenant)
    assert loads == [tenant_a, tenant_b, tenant_c]
    cache.get_snapshot(tenant_b)
    cache.stop()
    assert loads == [tenant_a, tenant_b, tenant_c, tenant_b]
    assert cache.nbytes <= snapshot.nbytes * 2.5


def test_a_slow_first_load_returns_the_empty_snapshot() -> None:
    release = threading.Event()
    tenant = TenantRef(uuid4(), "eu")

    def load_slowly(_tenant: TenantRef, _old: TenantSnapshot, _limit: int) -> TenantSnapshot:
        release.wait(10)
        return _build_snapshot(3)

    cache = SnapshotCache(limit_bytes=1 << 20, refresh=load_slowly)
    assert cache.get_snapshot(tenant, timeout_seconds=0.01) is EMPTY_SNAPSHOT
    release.set()
    assert cache.get_snapshot(tenant, timeout_seconds=10).catalogue.n_slots == 3
    cache.stop()


def test_a_failed_refresh_keeps_the_previous_snapshot() -> None:
    tenant = TenantRef(uuid4(), "eu")
    snapshots = iter([_build_snapshot(3)])

    def load(_tenant: TenantRef, _old: TenantSnapshot, _limit: int) -> TenantSnapshot:
        try:
            return next(snapshots)
        except StopIteration:
            raise StoreUnavailable from None

    cache = SnapshotCache(limit_bytes=1 << 20, refresh=load)
    snapshot = cache.get_snapshot(tenant)
    assert cache.refresh_now(tenant) is snapshot
    cache.stop()
