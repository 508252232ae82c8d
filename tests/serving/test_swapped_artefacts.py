"""Encrypted files in the place of another model's are refused, and the previous model stays active."""

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
from tests.serving.test_snapshot_cache import get_artefact_folder, publish_second_version

FILES = {"ensemble.json": b"{}", "weights": b"w" * 3_000, "items": b"w" * 3_000}


def write_artefact(tenant: TenantRef) -> tuple[UUID, dict[str, object]]:
    artefact_id = uuid4()
    return artefact_id, artefacts.write_artefact(tenant, artefact_id, FILES)


@contextmanager
def exchange_files(target: Path, source: Path) -> Iterator[None]:
    """The content of `source` replaces that of `target` inside the context."""
    content = target.read_bytes()
    shutil.copy(source, target)
    yield
    target.write_bytes(content)


def can_open(owner: TenantRef, artefact_id: UUID, manifest: dict[str, object]) -> bool:
    try:
        return artefacts.read_artefact(owner, artefact_id, manifest) == FILES
    except artefacts.ArtefactCorrupt:
        return False


@pytest.mark.proof(row=8)
def test_a_file_of_another_model_tenant_or_name_is_refused(
    tenant: TenantRef, stranger_tenant: TenantRef, scale: Scale, figure: Callable[..., bool]
) -> None:
    models = [
        (owner, *write_artefact(owner)) for owner in (tenant, stranger_tenant) for _ in range(scale(2, 8))
    ]
    files = [(*model, name) for model in models for name in FILES]
    n_opened = count = 0
    for (owner, artefact_id, manifest, name), (other, other_id, _, other_name) in permutations(files, 2):
        target = get_artefact_folder(owner, artefact_id) / name
        source = get_artefact_folder(other, other_id) / other_name
        with exchange_files(target, source):
            n_opened += can_open(owner, artefact_id, manifest)
        count += 1
    assert all(can_open(owner, artefact_id, manifest) for owner, artefact_id, manifest in models)
    assert figure("model files swapped and not refused", n_opened, of=count, passes=n_opened == 0)


def test_the_previous_model_serves_when_its_file_replaces_one_of_the_newer(
    loaded_tenant: TenantRef, actor: Actor
) -> None:
    number = publish_second_version(loaded_tenant, actor)
    with scope(loaded_tenant, actor=actor) as s:
        older, newer = queries.get_version(s, 1), queries.get_version(s, number)
    name = "ensemble.json"
    folders = [get_artefact_folder(loaded_tenant, version.artefact_id) for version in (older, newer)]
    shutil.copy(folders[0] / name, folders[1] / name)
    get_snapshot_cache().refresh_now(loaded_tenant)
    answer = recommend(loaded_tenant, RecommendRequest(profile_id="p0"), actor=actor)
    with scope(loaded_tenant, actor=actor) as s:
        after = queries.get_version(s, number)
    assert (answer.stage, answer.model_version) == ("model", "v1")
    assert (after.state, after.reason) == ("corrupt", f"The model file {name} is missing or damaged.")
