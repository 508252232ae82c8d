"""What is known of the items beside their texts: looks, what is stated of them, and what reviews say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings

from recommender.dataset import Dataset
from recommender.fitting.training_profiles import TrainingProfileName
from recommender.language.reviews.analyzer import ReviewAnalyzer
from recommender.language.reviews.load_analyzer import load_review_analyzer
from recommender.language.reviews.summary import ReviewSummaryTable
from recommender.tenant_data import image_embeddings, item_triples
from recommender.tenant_data import reviews as tenant_data_reviews
from recommender.tenant_data.interactions import TrainingData
from recommender.tenant_data.reviews import ReviewCorpus
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.new_image_embeddings import embed_new_images
from tenants.regions import TenantRef
from tenants.scope import Actor

# Reading 1,000 reviews takes about three seconds of one core.
MAX_REVIEWS_BY_PROFILE: Mapping[TrainingProfileName, int] = {
    "fast": 5_000,
    "full": tenant_data_reviews.MAX_REVIEWS,
}


@dataclass(frozen=True)
class EnrichedData:
    """`source` has looks and links; opinions depend on the moment until which reviews were heard."""

    training_data: TrainingData
    reviews: ReviewCorpus

    @cached_property
    def review_summaries(self) -> ReviewSummaryTable:
        return self.reviews.summarize_reviews()

    @cached_property
    def full_dataset(self) -> Dataset:
        return self._add_reviews(self.training_data.dataset, self.review_summaries)

    def add_past_reviews(self, train: Dataset) -> Dataset:
        """A part of the events, with what reviews had said until the last of them."""
        until = int(train.timestamp.max()) if train.has_timestamps and train.n_events else None
        return self._add_reviews(train, self.reviews.summarize_reviews(cutoff_ms=until))

    def _add_reviews(self, dataset: Dataset, review_summaries: ReviewSummaryTable) -> Dataset:
        return replace(
            dataset,
            review_features=self.reviews.build_item_features(
                review_summaries, self.training_data.item_numbers
            ),
        )

    def summarize_reviews(self) -> dict[str, Any]:
        return {
            "stored": self.reviews.n_stored,
            "read": len(self.reviews.reviews),
            "skipped": self.reviews.skipped,
            "items": len(self.review_summaries),
            "aspects": len(self.review_summaries.aspect_names),
        }


def load_side_data(
    tenant: TenantRef,
    training_data: TrainingData,
    *,
    profile: TrainingProfileName,
    actor: Actor,
    heartbeat: JobHeartbeat,
) -> EnrichedData:
    """Only new images have to be looked at; reviews are read anew."""
    heartbeat.start_phase("embedding images", low=10, high=14)
    embed_new_images(tenant, actor=actor, on_progress=lambda done: heartbeat.report_progress("", done))
    look = image_embeddings.load_item_embeddings(tenant, training_data.item_numbers, actor=actor)
    links = item_triples.load_item_triples(tenant, training_data.item_numbers, actor=actor)
    training_data = replace(
        training_data, dataset=replace(training_data.dataset, image_embeddings=look, triple_tokens=links)
    )
    heartbeat.start_phase("reading reviews", low=14, high=20)
    texts = _collect_item_texts(training_data)
    heard = tenant_data_reviews.load_reviews(
        tenant,
        texts,
        load_analyzer=_load_review_analyzer,
        actor=actor,
        report=lambda done: heartbeat.report_progress("", done),
        max_reviews=MAX_REVIEWS_BY_PROFILE[profile],
    )
    return EnrichedData(training_data, heard)


def _collect_item_texts(training_data: TrainingData) -> dict[int, str]:
    """By the number of each live item."""
    content = training_data.dataset.content
    texts = content.texts if content is not None else ("",) * training_data.item_numbers.size
    return dict(zip(training_data.item_numbers.tolist(), texts, strict=True))


def _load_review_analyzer() -> ReviewAnalyzer:
    return load_review_analyzer(Path(folder) if (folder := settings.LEPTON_LANGUAGE_MODELS) else None)
