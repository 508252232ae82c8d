"""What a process holds: loaded once, in the background, bounded, and never a damaged model."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings

from recommender.registry import actions, artefacts, queries
from recommender.registry.types import Trained
from recommender.serving import columns
from recommender.serving.ready import EMPTY, Ready
from recommender.serving.recommend import recommend
from recommender.serving.spaces import Spaces, spaces
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
        first = queries.version(s, 1)
    files = artefacts.read(tenant, first.artefact_id, first.manifest)
    artefact_id = uuid4()
    manifest = artefacts.write(tenant, artefact_id, files)
    trained = Trained(
        job_id=uuid4(),
        artefact_id=artefact_id,
        profile="fast",
        manifest=manifest,
        metrics={"serves": "model"},
        trained_at=first.trained_at,
        data_until=None,
    )
    with scope(tenant, actor=actor) as s:
        return actions.publish(s, trained, expected=queries.active_number(s)).version


def test_a_damaged_artefact_leaves_the_previous_model_serving_with_the_reason(
    walkers: TenantRef, actor: Actor
) -> None:
    number = second_version(walkers, actor)
    with scope(walkers, actor=actor) as s:
        damaged = queries.version(s, number)
    file = sealed_folder(walkers, damaged.artefact_id) / "ensemble.json"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    ready = spaces().refresh_now(walkers)
    answer = recommend(walkers, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(walkers, actor=actor) as s:
        after = queries.version(s, number)
        assert queries.active_number(s) == 1
    assert (answer.stage, answer.model_version) == ("model", "v1")
    assert ready.version is not None
    assert (after.state, after.reason) == ("corrupt", "The model file ensemble.json is missing or damaged.")


def test_a_promoted_version_is_picked_up(walkers: TenantRef, actor: Actor) -> None:
    number = second_version(walkers, actor)
    ready = spaces().refresh_now(walkers)
    with scope(walkers, actor=actor) as s:
        actions.roll_back(s, expected=number)
    back = spaces().refresh_now(walkers)
    assert ready.version is not None
    assert back.version is not None
    assert (ready.version.version, back.version.version) == (number, 1)


def test_a_store_that_is_away_leaves_the_loaded_model_serving(
    walkers: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> object:
        raise StoreUnavailable("The object store does not answer.")

    number = second_version(walkers, actor)
    monkeypatch.setattr(artefacts, "read", away)
    ready = spaces().refresh_now(walkers)
    answer = recommend(walkers, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(walkers, actor=actor) as s:
        actions.roll_back(s, expected=number)
    assert ready.version is not None
    assert ready.version.version == 1
    assert (answer.stage, answer.stage_because) == ("model", "The object store does not answer.")


def test_a_model_larger_than_the_bound_is_not_loaded(walkers: TenantRef) -> None:
    small = Spaces(limit_bytes=1)
    ready = small.refresh_now(walkers)
    small.stop()
    assert ready.bundle is None
    assert "LEPTON_MODEL_CACHE_MIB" in ready.model_because


def _of_size(count: int) -> Ready:
    return replace(
        EMPTY,
        columns=columns.updated(
            columns.empty(), [StoredItem(n, 1, True, ItemInput(id=str(n))) for n in range(count)]
        ),
    )


def test_the_least_recently_used_tenant_leaves_when_the_bound_is_passed() -> None:
    held = _of_size(100)
    one, two, three = (TenantRef(uuid4(), "eu") for _ in range(3))
    loads: list[TenantRef] = []

    def load(tenant: TenantRef, _old: Ready, _limit: int) -> Ready:
        loads.append(tenant)
        return held

    bounded = Spaces(limit_bytes=int(held.nbytes * 2.5), refresh=load)
    for tenant in (one, two, one, three, one):
        bounded.ready(tenant)
    assert loads == [one, two, three]
    bounded.ready(two)
    bounded.stop()
    assert loads == [one, two, three, two]
    assert bounded.nbytes <= held.nbytes * 2.5


def test_a_slow_first_load_is_not_waited_for() -> None:
    release = threading.Event()
    tenant = TenantRef(uuid4(), "eu")

    def slow(_tenant: TenantRef, _old: Ready, _limit: int) -> Ready:
        release.wait(10)
        return _of_size(3)

    patient = Spaces(limit_bytes=1 << 20, refresh=slow)
    assert patient.ready(tenant, patience=0.01) is EMPTY
    release.set()
    assert patient.ready(tenant, patience=10).columns.slots == 3
    patient.stop()


def test_a_failed_refresh_leaves_what_was_there() -> None:
    tenant = TenantRef(uuid4(), "eu")
    answers = iter([_of_size(3)])

    def load(_tenant: TenantRef, _old: Ready, _limit: int) -> Ready:
        try:
            return next(answers)
        except StopIteration:
            raise StoreUnavailable from None

    one = Spaces(limit_bytes=1 << 20, refresh=load)
    first = one.ready(tenant)
    assert one.refresh_now(tenant) is first
    one.stop()
