"""Opinion summarisation (Hu and Liu 2004): analysed reviews to summaries per item, and summaries to item features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recommender.dataset import ItemReviewFeatures
from recommender.language.intents.classifier import INTENTS
from recommender.language.reviews.summary import (
    AspectCount,
    ItemReviewSummary,
    ReviewSummaryTable,
)
from recommender.types import Float32Array

MIN_REVIEWERS = 5  # k-anonymity: no item, aspect or intent with fewer reviewers is stored
_PRIOR_REVIEWERS = 5.0  # weight of the catalogue's mean against the reviewers of an item


@dataclass(frozen=True, slots=True)
class ReviewAnalysis:
    """Result of analysing one review.

    Attributes:
        sentiment: probability that the review is positive.
        aspects: +1 or -1 for each aspect with an opinion.
        intents: the writer's intents, a subset of INTENTS.
        relevance: probability that the review is positive about the item as described.
    """

    sentiment: float
    aspects: Mapping[str, int] = field(default_factory=dict)
    intents: frozenset[str] = frozenset()
    relevance: float = 0.5


@dataclass(frozen=True, slots=True)
class AnalysedReview:
    """The analysis of a review of `item`. `person` distinguishes reviewers; each anonymous review has its own value."""

    item: int
    person: bytes
    timestamp_ms: int
    analysis: ReviewAnalysis


def aggregate_reviews(
    reviews: Iterable[AnalysedReview],
    *,
    cutoff_ms: int | None = None,
    min_reviewers: int = MIN_REVIEWERS,
) -> ReviewSummaryTable:
    """Summarises reviews per item; a person counts once per item, with the latest review.

    Args:
        reviews: reviews of all items, in any order.
        cutoff_ms: later reviews are ignored.
        min_reviewers: items, aspects and intents with fewer reviewers are left out.

    Returns:
        The summaries of all items with enough reviewers.
    """
    latest: dict[tuple[int, bytes], AnalysedReview] = {}
    for review in reviews:
        if cutoff_ms is not None and review.timestamp_ms > cutoff_ms:
            continue
        key = (review.item, review.person)
        if key not in latest or latest[key].timestamp_ms <= review.timestamp_ms:
            latest[key] = review
    analyses_by_item: dict[int, list[ReviewAnalysis]] = {}
    for review in latest.values():
        analyses_by_item.setdefault(review.item, []).append(review.analysis)
    summaries = {}
    for item_no, analyses in analyses_by_item.items():
        if len(analyses) >= min_reviewers:
            summaries[item_no] = _summarize_item(analyses, min_reviewers)
    return ReviewSummaryTable.from_items(summaries)


def _summarize_item(analyses: Sequence[ReviewAnalysis], min_reviewers: int) -> ItemReviewSummary:
    signs_by_aspect: dict[str, list[int]] = {}
    for analysis in analyses:
        for name, sign in analysis.aspects.items():
            signs_by_aspect.setdefault(name, []).append(sign)
    aspects = {}
    for name, signs in sorted(signs_by_aspect.items()):
        if len(signs) >= min_reviewers:
            aspects[name] = AspectCount(n_reviewers=len(signs), n_positive=signs.count(1))
    intents = {}
    for intent in INTENTS:
        n_reviewers = 0
        for analysis in analyses:
            n_reviewers += intent in analysis.intents
        if n_reviewers >= min_reviewers:
            intents[intent] = n_reviewers
    sentiments = np.array([analysis.sentiment for analysis in analyses])
    relevances = np.array([analysis.relevance for analysis in analyses])
    return ItemReviewSummary(
        n_reviewers=len(analyses),
        n_positive=int((sentiments > 0.5).sum()),
        mean_sentiment=float(sentiments.mean()),
        mean_relevance=float(relevances.mean()),
        aspects=aspects,
        intents=intents,
    )


def build_review_features(
    summaries: ReviewSummaryTable,
    item_no: Sequence[int],
    aspect_names: Sequence[str],
) -> ItemReviewFeatures:
    """Builds features with one row per entry of `item_no` and one aspect column per entry of `aspect_names`.

    Values are deviations from the catalogue's mean, shrunk towards 0 for items with few reviewers; 0 for items without
    a summary."""
    sentiment = _ShrunkColumn(len(item_no))
    relevance = _ShrunkColumn(len(item_no))
    aspects = [_ShrunkColumn(len(item_no)) for _ in aspect_names]
    for row, number in enumerate(item_no):
        summary = summaries.get_item(number)
        if summary is None:
            continue
        sentiment.add_item(row, summary.mean_sentiment, summary.n_reviewers)
        relevance.add_item(row, summary.mean_relevance, summary.n_reviewers)
        for column, name in zip(aspects, aspect_names, strict=True):
            count = summary.aspects.get(name)
            if count is not None:
                column.add_item(row, count.positive_fraction, count.n_reviewers)
    aspect_sentiment = np.zeros((len(item_no), len(aspect_names)), np.float32)
    for index, column in enumerate(aspects):
        aspect_sentiment[:, index] = column.shrink_to_mean()
    return ItemReviewFeatures(
        tuple(aspect_names),
        sentiment.shrink_to_mean(),
        relevance.shrink_to_mean(),
        aspect_sentiment,
    )


class _ShrunkColumn:
    """A feature column that is shrunk to the mean over all reviewers (empirical Bayes)."""

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._rows = list[int]()
        self._values = list[float]()
        self._n_reviewers = list[int]()

    def add_item(self, row: int, value: float, n_reviewers: int) -> None:
        self._rows.append(row)
        self._values.append(value)
        self._n_reviewers.append(n_reviewers)

    def shrink_to_mean(self) -> Float32Array:
        """float32 (n_rows): (value - mean) * n / (n + _PRIOR_REVIEWERS), 0 in rows without a value."""
        column = np.zeros(self._n_rows, np.float32)
        if self._rows:
            values = np.array(self._values)
            n_reviewers = np.array(self._n_reviewers)
            # Python's sum adds in the order of the rows; numpy's pairwise sum would round differently.
            weighted_sum = sum((values * n_reviewers).tolist())
            mean = weighted_sum / sum(self._n_reviewers)
            deviations = values - mean
            column[self._rows] = deviations * n_reviewers / (n_reviewers + _PRIOR_REVIEWERS)
        return column
