"""From an uploaded image to recommendations by visual similarity, with the real parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lepton_platform.tasks import training as tasks
from recommender.features.images import EMBEDDING_WIDTH, ENCODER_NAME
from recommender.registry import artefacts, queries
from recommender.registry.bundle import Bundle
from recommender.serving.snapshot.cache import get_snapshot_cache, stop_snapshot_cache
from recommender.tenant_data import image_embeddings
from recommender.training.job_runner import run_training_job
from recommender.training.new_image_embeddings import embed_new_images
from tenants.data.actions import images
from tenants.data.actions.image_embeddings import record_image_embeddings
from tenants.data.media.images import EncodedImage
from tenants.data.queries import jobs
from tenants.data.queries.image_embeddings import count_pending, list_pending
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.drawings import make_image_file
from tests.training.tenants import request_training

API = "/api/v1"
KINDS = ("discs", "stripes")
N_EACH = 8


def run_training(tenant: TenantRef, actor: Actor) -> Any:
    job_id = request_training(tenant, actor)
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    get_snapshot_cache().refresh_now(tenant)
    with scope(tenant, actor=actor) as s:
        job = jobs.get_job(s, job_id)
    assert job.state == "succeeded", job.reason
    return job


def load_active_bundle(tenant: TenantRef, actor: Actor) -> Bundle:
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    return Bundle.from_files(artefacts.read_artefact(tenant, active.artefact_id, active.manifest))


@pytest.fixture(autouse=True)
def stop_snapshot_loading() -> Iterator[None]:
    yield
    stop_snapshot_cache()


@pytest.fixture
def owner(api: Callable[..., Any], tenant: TenantRef) -> Any:
    return api(tenant)


@pytest.fixture
def gallery(owner: Any) -> list[str]:
    """Items without text: eight of each kind, alternating, each with an image."""
    items = [f"{kind}-{number}" for number in range(N_EACH) for kind in KINDS]
    assert (
        owner.post(f"{API}/items/batch", {"items": [{"id": item_id} for item_id in items]}).status_code == 200
    )
    for item_id in items:
        kind, _, number = item_id.partition("-")
        upload_image(owner, item_id, kind, int(number))
    return items


def upload_image(owner: Any, item_id: str, kind: str, number: int) -> None:
    content = make_image_file(kind, number)
    assert owner.put(f"{API}/items/{item_id}/image", content, content_type="image/png").status_code == 204


def find_similar(owner: Any, item_id: str, k: int = 5) -> list[dict[str, Any]]:
    answer = owner.get(f"{API}/items/{item_id}/similar", {"by": "image", "k": k})
    assert answer.status_code == 200
    similar: list[dict[str, Any]] = answer.json()["data"]
    return similar


def test_uploaded_images_are_found_by_visual_similarity(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    assert find_similar(owner, "discs-0") == []
    run_training(tenant, actor)
    assert "visual_similarity" in load_active_bundle(tenant, actor).ensemble.models
    for kind in KINDS:
        similar = find_similar(owner, f"{kind}-3", N_EACH - 1)
        assert {item["id"].partition("-")[0] for item in similar} == {kind}
        assert similar[0]["reasons"] == [
            {"kind": "similar_image", "text": "Looks alike", "evidence": [f"{kind}-3"], "contribution": None}
        ]


def test_without_events_a_session_is_answered_by_visual_similarity(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    run_training(tenant, actor)
    answer = owner.post(f"{API}/recommendations", {"session": ["stripes-2"], "k": 4}).json()
    assert answer["stage"] == "content"
    assert {item["id"].partition("-")[0] for item in answer["items"]} == {"stripes"}


def test_only_changed_images_are_embedded_again(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_training(tenant, actor)
    upload_image(owner, "discs-1", "stripes", 99)
    seen: list[int] = []
    to_bytes = image_embeddings.to_bytes
    monkeypatch.setattr(
        image_embeddings, "to_bytes", lambda vector: seen.append(len(vector)) or to_bytes(vector)
    )
    run_training(tenant, actor)
    assert len(seen) == 1
    assert {item["id"].partition("-")[0] for item in find_similar(owner, "discs-1", N_EACH)} == {"stripes"}


def test_a_removed_image_has_no_embedding(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    run_training(tenant, actor)
    assert owner.delete(f"{API}/items/discs-0/image").status_code == 204
    assert owner.get(f"{API}/items/discs-0/image").status_code == 404
    assert owner.delete(f"{API}/items/discs-0/image").status_code == 404
    bundle = load_active_bundle(tenant, actor)
    with scope(tenant, actor=actor) as s:
        remaining = image_embeddings.load_embeddings_by_number(s, bundle.item_numbers.tolist())
    assert len(remaining) == len(gallery) - 1
    run_training(tenant, actor)
    assert find_similar(owner, "discs-0") == []
    assert "discs-0" not in {item["id"] for item in find_similar(owner, "discs-1", len(gallery))}


def test_a_new_item_is_recommended_by_its_image_before_the_next_training(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    run_training(tenant, actor)
    owner.post(f"{API}/items", {"id": "late"})
    upload_image(owner, "late", "stripes", 77)
    get_snapshot_cache().refresh_now(tenant)
    assert find_similar(owner, "late") == []
    tasks.embed_images(region=tenant.region)
    get_snapshot_cache().refresh_now(tenant)
    with scope(tenant, actor=actor) as s:
        assert count_pending(s, ENCODER_NAME) == 0
    answer = owner.post(f"{API}/recommendations", {"session": ["stripes-2"], "k": N_EACH}).json()
    assert answer["stage"] == "content"
    assert {item["id"].partition("-")[0] for item in answer["items"]} == {"stripes", "late"}
    assert find_similar(owner, "late", 1)[0]["id"].startswith("stripes")


def test_new_images_are_embedded_beyond_one_batch(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    assert embed_new_images(tenant, actor=actor, max_images=1) == len(gallery)
    assert embed_new_images(tenant, actor=actor) == 0


def test_an_unreadable_image_does_not_block_others(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    with scope(tenant, actor=actor) as s:
        images.set_image(s, "discs-0", EncodedImage(b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png"))
    run_training(tenant, actor)
    assert find_similar(owner, "discs-0") == []
    assert len(find_similar(owner, "discs-1", len(gallery))) == len(gallery) - 2


def test_an_embedding_of_a_replaced_image_is_not_stored(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    with scope(tenant, actor=actor) as s:
        page = list_pending(s, ENCODER_NAME)
    upload_image(owner, "discs-0", "stripes", 5)
    with scope(tenant, actor=actor) as s:
        stored = record_image_embeddings(
            s,
            ENCODER_NAME,
            page,
            [image_embeddings.to_bytes(np.ones(EMBEDDING_WIDTH, np.float32))] * len(page),
        )
    assert stored == len(page) - 1


def record_walks(owner: Any) -> None:
    """Sixty profiles visit the items of one kind in order. Two items of each kind have no events."""
    rows = []
    for profile in range(60):
        for step in range(5):
            item = f"{KINDS[profile % 2]}-{(profile // 2 + step) % (N_EACH - 2)}"
            timestamp = f"2026-11-{1 + step:02}T{profile % 24:02}:00:00Z"
            rows.append({"profile_id": f"p{profile}", "item_id": item, "kind": "view", "at": timestamp})
    answer = owner.post(f"{API}/events", {"events": rows})
    assert (answer.status_code, answer.json()["accepted"]) == (200, len(rows))


def test_an_item_without_events_is_recommended_by_its_image(
    owner: Any, gallery: list[str], tenant: TenantRef, actor: Actor
) -> None:
    record_walks(owner)
    run_training(tenant, actor)
    bundle = load_active_bundle(tenant, actor)
    assert bundle.ensemble.blend.weights["visual_similarity"] > 0
    body = {"session": [f"discs-{n}" for n in range(N_EACH - 2)], "k": 2, "reasons": True}
    answer = owner.post(f"{API}/recommendations", body).json()
    assert answer["stage"] == "model_session"
    assert {item["id"] for item in answer["items"]} == {f"discs-{N_EACH - 2}", f"discs-{N_EACH - 1}"}
    reason = answer["items"][0]["reasons"][0]
    assert (reason["kind"], reason["text"]) == ("similar_image", "Looks like what you chose")
    assert all(item_id.startswith("discs") for item_id in reason["evidence"])
    chinese = owner.post(f"{API}/recommendations", body, headers={"Accept-Language": "zh-hans"}).json()
    assert chinese["items"][0]["reasons"][0]["text"] == "外观与您选过的相似"
