"""Reviews become summaries of items: counts over reviewers for reasons and ranking, nothing about one reviewer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.utils import translation
from msgspec.structs import replace

from recommender.language.reviews.load_analyzer import load_review_analyzer
from recommender.registry import artefacts, queries
from recommender.registry.bundle import Bundle
from recommender.serving.recommend import recommend
from recommender.serving.snapshot import cache
from recommender.serving.types import RecommendationReason, RecommendRequest
from recommender.tenant_data import interactions, reviews
from recommender.tenant_data.reviews import WITHOUT_CONSENT, ReviewCorpus
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, profiles, tenant_settings
from tenants.data.queries import catalog as catalogue
from tenants.data.queries import tenant_state
from tenants.data.types import ItemInput, ProfileInput
from tenants.privacy import erasure
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.review_texts import NEGATIVE_REVIEWS, POSITIVE_REVIEWS, write_reviews
from tests.training.tenants import request_training

FIVE_REVIEWERS = ("r1", "r2", "r3", "r4", "r5")


def load_corpus(tenant: TenantRef, actor: Actor) -> ReviewCorpus:
    data = interactions.load_training_data(tenant, actor=actor, report=lambda _done: None)
    texts = {int(item_number): "A phone" for item_number in data.item_numbers}
    return reviews.load_reviews(
        tenant, texts, load_analyzer=load_review_analyzer, actor=actor, report=lambda _done: None
    )


def create_phones(tenant: TenantRef, actor: Actor, *ids: str) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=item_id, title=f"Phone {item_id}") for item_id in ids])


def get_item_number(tenant: TenantRef, actor: Actor, item: str) -> int:
    with scope(tenant, actor=actor) as s:
        return catalogue.get_item_no(s, item)


@pytest.fixture
def phones(tenant: TenantRef, actor: Actor) -> TenantRef:
    create_phones(tenant, actor, "good", "bad", "new")
    return tenant


def recommend_review_reasons(
    tenant: TenantRef, actor: Actor, language: str
) -> dict[str, list[RecommendationReason]]:
    with translation.override(language):
        answer = recommend(tenant, RecommendRequest(k=5, reasons=True), actor=actor)
    return {
        item.id: [reason for reason in item.reasons if reason.kind == "well_reviewed"]
        for item in answer.items
    }


@pytest.mark.parametrize("written_in", ["en", "zh"])
def test_praise_by_five_reviewers_is_a_reason_in_both_languages(
    phones: TenantRef, actor: Actor, written_in: str
) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS[written_in], profiles=FIVE_REVIEWERS)
    run_training_job(phones, request_training(phones, actor), owner="w1", actor=actor)
    try:
        cache.get_snapshot_cache().refresh_now(phones)
        english = recommend_review_reasons(phones, actor, "en")
        chinese = recommend_review_reasons(phones, actor, "zh-hans")
    finally:
        cache.stop_snapshot_cache()
    assert english["good"][0] == RecommendationReason(
        "well_reviewed", "Battery praised in 100% of 5 reviews", ["battery"]
    )
    assert chinese["good"][0] == RecommendationReason("well_reviewed", "5 条评价中有 100% 称赞电池", ["电池"])
    assert english["new"] == chinese["new"] == []


def test_negative_reviews_are_no_reason(phones: TenantRef, actor: Actor) -> None:
    write_reviews(phones, actor, "bad", NEGATIVE_REVIEWS, profiles=FIVE_REVIEWERS)
    run_training_job(phones, request_training(phones, actor), owner="w1", actor=actor)
    try:
        cache.get_snapshot_cache().refresh_now(phones)
        assert recommend_review_reasons(phones, actor, "en")["bad"] == []
    finally:
        cache.stop_snapshot_cache()


def test_the_published_model_contains_review_counts_and_no_text(phones: TenantRef, actor: Actor) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"], profiles=FIVE_REVIEWERS)
    run_training_job(phones, request_training(phones, actor), owner="w1", actor=actor)
    with scope(phones, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    files = artefacts.read_artefact(phones, active.artefact_id, active.manifest)
    summary = Bundle.from_files(files).review_summaries.get_item(get_item_number(phones, actor, "good"))
    assert summary is not None
    assert (summary.n_reviewers, summary.n_positive, summary.aspects["battery"].n_reviewers) == (5, 5, 5)
    assert set(summary.aspects) == {"battery"}
    assert not any(b"lasts" in content or b"amazing" in content for content in files.values())
    assert active.metrics["reviews"] == {"stored": 5, "read": 5, "skipped": {}, "items": 1, "aspects": 1}


def test_four_reviewers_are_below_the_minimum(phones: TenantRef, actor: Actor) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"], profiles=("r1", "r2", "r3", "r4", "r4"))
    assert len(load_corpus(phones, actor).summarize_reviews()) == 0


def test_reviews_without_consent_are_not_read(phones: TenantRef, actor: Actor) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"], profiles=FIVE_REVIEWERS)
    with scope(phones, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id="r3", consent="refused")])
    corpus = load_corpus(phones, actor)
    assert (len(corpus.reviews), corpus.skipped) == (4, {WITHOUT_CONSENT: 1})
    assert len(corpus.summarize_reviews()) == 0


def test_an_erased_review_is_not_read_again(phones: TenantRef, actor: Actor) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"], profiles=FIVE_REVIEWERS)
    assert len(load_corpus(phones, actor).summarize_reviews()) == 1
    erasure.erase_profile(phones, "r2", actor=actor)
    assert len(load_corpus(phones, actor).summarize_reviews()) == 0


def test_another_tenants_reviews_are_not_read(
    phones: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"], profiles=FIVE_REVIEWERS)
    assert load_corpus(stranger_tenant, actor).n_stored == 0


def test_summaries_exclude_reviews_after_the_cutoff(phones: TenantRef, actor: Actor) -> None:
    now = datetime.now(UTC)
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"], at=now)
    corpus = load_corpus(phones, actor)
    yesterday = int((now - timedelta(days=1)).timestamp() * 1000)
    assert (len(corpus.summarize_reviews(cutoff_ms=yesterday)), len(corpus.summarize_reviews())) == (0, 1)


def test_an_aspect_denied_by_the_tenant_is_neither_feature_nor_reason(
    phones: TenantRef, actor: Actor
) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"])
    with scope(phones, actor=actor) as s:
        settings = tenant_state.get_state(s).privacy
        stricter = [*settings.denied_attributes, "battery life"]
        tenant_settings.update_privacy(s, replace(settings, denied_attributes=stricter))
    corpus = load_corpus(phones, actor)
    summaries = corpus.summarize_reviews()
    assert summaries.aspect_names == ()
    item_numbers = np.array([get_item_number(phones, actor, "good")], np.int32)
    features = corpus.build_item_features(summaries, item_numbers)
    assert features is None or "battery" not in features.aspect_names


def test_unreadable_reviews_are_skipped_and_counted(phones: TenantRef, actor: Actor) -> None:
    write_reviews(phones, actor, "good", POSITIVE_REVIEWS["en"])
    unreadable_texts = (
        "Sehr gut, der Akku ist nicht schlecht.",
        "\x00\x07\u2028 ",
        "電" * 20_000,
        "great " * 3_000,
        "!!! 123",
    )
    write_reviews(phones, actor, "bad", unreadable_texts)
    corpus = load_corpus(phones, actor)
    assert corpus.n_stored == 10
    assert len(corpus.summarize_reviews()) == 1
    assert sum(corpus.skipped.values()) == 10 - len(corpus.reviews)


def test_reviews_with_equal_timestamps_respect_the_maximum(phones: TenantRef, actor: Actor) -> None:
    reviewers = [str(n) for n in range(600)]
    write_reviews(phones, actor, "good", [f"Good phone, number {n}." for n in reviewers], profiles=reviewers)
    with scope(phones, actor=actor) as s:
        s.cursor().execute("UPDATE data_review SET at = now() WHERE tenant_id = %s", (phones.id,))
    read = reviews.load_reviews(
        phones,
        {},
        load_analyzer=load_review_analyzer,
        actor=actor,
        report=lambda _done: None,
        max_reviews=300,
    )
    assert 300 <= read.n_stored <= 500
