"""A model's sealed files put in place of another's: refused, and the model before goes on serving."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from recommender.registry import artefacts, queries
from recommender.serving.recommend import recommend
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import RecommendRequest
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.proofs import Scale
from tests.serving.test_snapshot_cache import sealed_folder, second_version

FILES = {"ensemble.json": b"{}", "weights": b"w" * 3_000, "items": b"w" * 3_000}


def written(tenant: TenantRef) -> tuple[UUID, dict[str, object]]:
    artefact_id = uuid4()
    return artefact_id, artefacts.write_artefact(tenant, artefact_id, FILES)


@contextmanager
def exchanged(mine: Path, theirs: Path) -> Iterator[None]:
    """`theirs` lies in the place of `mine` for a while."""
    kept = mine.read_bytes()
    shutil.copy(theirs, mine)
    yield
    mine.write_bytes(kept)


def opens(owner: TenantRef, artefact_id: UUID, manifest: dict[str, object]) -> bool:
    try:
        return artefacts.read_artefact(owner, artefact_id, manifest) == FILES
    except artefacts.ArtefactCorrupt:
        return False


@pytest.mark.proof(row=8)
def test_a_file_of_another_model_tenant_or_name_is_refused(
    tenant: TenantRef, stranger_tenant: TenantRef, scale: Scale, figure: Callable[..., bool]
) -> None:
    models = [(owner, *written(owner)) for owner in (tenant, stranger_tenant) for _ in range(scale(2, 8))]
    places = [(*model, name) for model in models for name in FILES]
    opened = count = 0
    for (owner, artefact_id, manifest, name), (other, other_id, _, other_name) in permutations(places, 2):
        mine, theirs = sealed_folder(owner, artefact_id) / name, sealed_folder(other, other_id) / other_name
        with exchanged(mine, theirs):
            opened += opens(owner, artefact_id, manifest)
        count += 1
    assert all(opens(owner, artefact_id, manifest) for owner, artefact_id, manifest in models)
    assert figure("model files swapped and not refused", opened, of=count, passes=opened == 0)


def test_the_previous_model_serves_when_its_file_replaces_one_of_the_newer(
    walkers: TenantRef, actor: Actor
) -> None:
    number = second_version(walkers, actor)
    with scope(walkers, actor=actor) as s:
        first, second = queries.get_version(s, 1), queries.get_version(s, number)
    name = "ensemble.json"
    folders = [sealed_folder(walkers, version.artefact_id) for version in (first, second)]
    shutil.copy(folders[0] / name, folders[1] / name)
    get_snapshot_cache().refresh_now(walkers)
    answer = recommend(walkers, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(walkers, actor=actor) as s:
        after = queries.get_version(s, number)
    assert (answer.stage, answer.model_version) == ("model", "v1")
    assert (after.state, after.reason) == ("corrupt", f"The model file {name} is missing or damaged.")
