"""What a process holds: loaded once, in the background, bounded, and never a damaged model."""

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


def sealed_folder(tenant: TenantRef, artefact_id: object) -> Path:
    root = settings.LEPTON_REGIONS[tenant.region].object_store_url.removeprefix("file://")
    return Path(root) / "models" / str(tenant.id) / str(artefact_id)


def second_version(tenant: TenantRef, actor: Actor) -> int:
    """The first version's files published again, sealed for an artefact of their own."""
    with scope(tenant, actor=actor) as s:
        first = queries.get_version(s, 1)
    files = artefacts.read_artefact(tenant, first.artefact_id, first.manifest)
    artefact_id = uuid4()
    manifest = artefacts.write_artefact(tenant, artefact_id, files)
    trained = TrainedModel(
        job_id=uuid4(),
        artefact_id=artefact_id,
        profile="fast",
        manifest=manifest,
        metrics={"serving_mode": "model"},
        trained_at=first.trained_at,
        latest_event_at=None,
    )
    with scope(tenant, actor=actor) as s:
        return actions.publish_model(s, trained, expected=queries.get_active_number(s)).version


def test_a_damaged_artefact_keeps_the_previous_model_active(walkers: TenantRef, actor: Actor) -> None:
    number = second_version(walkers, actor)
    with scope(walkers, actor=actor) as s:
        damaged = queries.get_version(s, number)
    file = sealed_folder(walkers, damaged.artefact_id) / "ensemble.json"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    ready = get_snapshot_cache().refresh_now(walkers)
    answer = recommend(walkers, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(walkers, actor=actor) as s:
        after = queries.get_version(s, number)
        assert queries.get_active_number(s) == 1
    assert (answer.stage, answer.model_version) == ("model", "v1")
    assert ready.version is not None
    assert (after.state, after.reason) == ("corrupt", "The model file ensemble.json is missing or damaged.")


def test_a_promoted_version_is_loaded(walkers: TenantRef, actor: Actor) -> None:
    number = second_version(walkers, actor)
    ready = get_snapshot_cache().refresh_now(walkers)
    with scope(walkers, actor=actor) as s:
        actions.roll_back(s, expected=number)
    back = get_snapshot_cache().refresh_now(walkers)
    assert ready.version is not None
    assert back.version is not None
    assert (ready.version.version, back.version.version) == (number, 1)


def test_an_unavailable_store_keeps_the_loaded_model_active(
    walkers: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> object:
        raise StoreUnavailable("The object store does not answer.")

    number = second_version(walkers, actor)
    monkeypatch.setattr(artefacts, "read_artefact", away)
    ready = get_snapshot_cache().refresh_now(walkers)
    answer = recommend(walkers, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(walkers, actor=actor) as s:
        actions.roll_back(s, expected=number)
    assert ready.version is not None
    assert ready.version.version == 1
    assert (answer.stage, answer.fallback_reason) == ("model", "The object store does not answer.")


def test_a_model_larger_than_the_limit_is_not_loaded(walkers: TenantRef) -> None:
    small = SnapshotCache(limit_bytes=1)
    ready = small.refresh_now(walkers)
    small.stop()
    assert ready.bundle is None
    assert "LEPTON_MODEL_CACHE_MIB" in ready.model_problem


def _of_size(count: int) -> TenantSnapshot:
    return replace(
        EMPTY_SNAPSHOT,
        catalogue=index.update_index(
            index.create_empty_index(), [StoredItem(n, 1, True, ItemInput(id=str(n))) for n in range(count)]
        ),
    )


def test_the_least_recently_used_tenant_is_evicted_above_the_limit() -> None:
    held = _of_size(100)
    one, two, three = (TenantRef(uuid4(), "eu") for _ in range(3))
    loads: list[TenantRef] = []

    def load(tenant: TenantRef, _old: TenantSnapshot, _limit: int) -> TenantSnapshot:
        loads.append(tenant)
        return held

    bounded = SnapshotCache(limit_bytes=int(held.nbytes * 2.5), refresh=load)
    for tenant in (one, two, one, three, one):
        bounded.get_snapshot(tenant)
    assert loads == [one, two, three]
    bounded.get_snapshot(two)
    bounded.stop()
    assert loads == [one, two, three, two]
    assert bounded.nbytes <= held.nbytes * 2.5


def test_a_slow_first_load_returns_the_empty_snapshot() -> None:
    release = threading.Event()
    tenant = TenantRef(uuid4(), "eu")

    def slow(_tenant: TenantRef, _old: TenantSnapshot, _limit: int) -> TenantSnapshot:
        release.wait(10)
        return _of_size(3)

    patient = SnapshotCache(limit_bytes=1 << 20, refresh=slow)
    assert patient.get_snapshot(tenant, timeout_seconds=0.01) is EMPTY_SNAPSHOT
    release.set()
    assert patient.get_snapshot(tenant, timeout_seconds=10).catalogue.n_slots == 3
    patient.stop()


def test_a_failed_refresh_keeps_the_previous_snapshot() -> None:
    tenant = TenantRef(uuid4(), "eu")
    answers = iter([_of_size(3)])

    def load(_tenant: TenantRef, _old: TenantSnapshot, _limit: int) -> TenantSnapshot:
        try:
            return next(answers)
        except StopIteration:
            raise StoreUnavailable from None

    one = SnapshotCache(limit_bytes=1 << 20, refresh=load)
    first = one.get_snapshot(tenant)
    assert one.refresh_now(tenant) is first
    one.stop()
