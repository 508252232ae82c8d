"""Adds what models read of items besides texts: image embeddings, triples, and features from reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from django.conf import settings

from recommender.dataset import Dataset
from recommender.fitting.training_profiles import TrainingProfileName
from recommender.language.reviews.analyzer import ReviewAnalyzer
from recommender.language.reviews.load_analyzer import load_review_analyzer
from recommender.language.reviews.summary import ReviewSummaryTable
from recommender.registry.version_metrics import ReviewCounts
from recommender.tenant_data import image_embeddings, item_triples
from recommender.tenant_data import reviews as tenant_data_reviews
from recommender.tenant_data.interactions import TrainingData
from recommender.tenant_data.reviews import ReviewCorpus
from recommender.training import phases
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.new_image_embeddings import embed_new_images
from tenants.regions import TenantRef
from tenants.scope import Actor

# Analysing 1,000 reviews takes about three seconds of one core.
MAX_REVIEWS_BY_PROFILE: Mapping[TrainingProfileName, int] = {
    "fast": 5_000,
    "full": tenant_data_reviews.MAX_REVIEWS,
}


@dataclass(frozen=True)
class EnrichedData:
    """Training data with image embeddings and triples, and the reviews from which features of items are computed.

    Review features depend on a time: a model must not be evaluated with reviews that were written after the events it was trained
    on.
    """

    training_data: TrainingData
    reviews: ReviewCorpus

    @cached_property
    def review_summaries(self) -> ReviewSummaryTable:
        """Summaries of all reviews; they are published with the model."""
        return self.reviews.summarize_reviews()

    @cached_property
    def full_dataset(self) -> Dataset:
        """All events, with features from all reviews."""
        return self._add_review_features(self.training_data.dataset, self.review_summaries)

    def add_past_reviews(self, train: Dataset) -> Dataset:
        """Some of the events, with features from the reviews that are not newer than the newest of them."""
        cutoff_ms = None
        if train.has_timestamps and train.n_events:
            cutoff_ms = int(train.timestamp.max())
        return self._add_review_features(train, self.reviews.summarize_reviews(cutoff_ms=cutoff_ms))

    def count_reviews(self) -> ReviewCounts:
        """The counts for the version's metrics."""
        return ReviewCounts(
            stored=self.reviews.n_stored,
            read=len(self.reviews.reviews),
            skipped=self.reviews.skipped,
            items=len(self.review_summaries),
            aspects=len(self.review_summaries.aspect_names),
        )

    def _add_review_features(self, dataset: Dataset, summaries: ReviewSummaryTable) -> Dataset:
        # In the order of the data set's items.
        features = self.reviews.build_item_features(summaries, self.training_data.item_numbers)
        return replace(dataset, review_features=features)


def load_side_data(
    tenant: TenantRef,
    training_data: TrainingData,
    *,
    profile: TrainingProfileName,
    actor: Actor,
    heartbeat: JobHeartbeat,
) -> EnrichedData:
    """Embeds new images, then loads embeddings, triples and reviews of the data set's items.

    Image embeddings are stored, so only new images take time; reviews are analysed again by each training.
    """
    heartbeat.start_phase(phases.EMBEDDING_IMAGES)
    embed_new_images(
        tenant,
        actor=actor,
        on_progress=heartbeat.report_fraction,
    )
    item_numbers = training_data.item_numbers
    dataset = replace(
        training_data.dataset,
        image_embeddings=image_embeddings.load_item_embeddings(tenant, item_numbers, actor=actor),
        triple_tokens=item_triples.load_item_triples(tenant, item_numbers, actor=actor),
    )
    training_data = replace(training_data, dataset=dataset)
    heartbeat.start_phase(phases.READING_REVIEWS)
    reviews = tenant_data_reviews.load_reviews(
        tenant,
        _collect_item_texts(training_data),
        load_analyzer=_load_review_analyzer,
        actor=actor,
        report=heartbeat.report_fraction,
        max_reviews=MAX_REVIEWS_BY_PROFILE[profile],
    )
    return EnrichedData(training_data, reviews)


def _collect_item_texts(training_data: TrainingData) -> dict[int, str]:
    """The text of each live item by number; empty texts if no item has one."""
    content = training_data.dataset.content
    if content is None:
        return dict.fromkeys(training_data.item_numbers.tolist(), "")
    return dict(zip(training_data.item_numbers.tolist(), content.texts, strict=True))


def _load_review_analyzer() -> ReviewAnalyzer:
    folder = settings.LEPTON_LANGUAGE_MODELS
    return load_review_analyzer(Path(folder) if folder else None)
