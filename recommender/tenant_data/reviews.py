"""Loads and analyses a tenant's reviews for a training. Only aggregated counts are stored; no single review is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import ItemReviewFeatures
from recommender.features.denied_attributes import DeniedAttributes
from recommender.language.preprocessing.lexicon import load_aspect_names, load_aspect_terms
from recommender.language.reviews.aggregation import (
    AnalysedReview,
    ReviewAnalysis,
    aggregate_reviews,
    build_review_features,
)
from recommender.language.reviews.analyzer import ReviewAnalyzer, ReviewText
from recommender.language.reviews.summary import ReviewSummaryTable
from tenants.data.presets import list_denied_attributes
from tenants.data.queries import reviews, tenant_state
from tenants.data.queries.consent import ConsentFilter, load_consent_filter
from tenants.data.queries.reviews import StoredReview
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

MAX_REVIEWS = 20_000
_BATCH_SIZE = 250
WITHOUT_CONSENT, ITEM_RETIRED = "review without consent", "review of a retired item"


@dataclass(
    frozen=True,
    slots=True,
)
class ReviewCorpus:
    """The analysed reviews of one training.

    Attributes:
        reviews: the analyses of single reviews.
        denied_aspects: aspects that may be neither a feature nor a reason for this tenant.
        n_stored: the number of reviews that were read.
        skipped: counts of reviews that were read but not used, by reason.
    """

    reviews: Sequence[AnalysedReview]
    denied_aspects: tuple[str, ...]
    n_stored: int
    skipped: dict[str, int]

    def summarize_reviews(self, *, cutoff_ms: int | None = None) -> ReviewSummaryTable:
        """Counts for items with enough reviewers; reviews written after `cutoff_ms` (Unix time) are left out."""
        return aggregate_reviews(self.reviews, cutoff_ms=cutoff_ms).drop_aspects(self.denied_aspects)

    def build_item_features(
        self, summaries: ReviewSummaryTable, item_numbers: NDArray[np.int32]
    ) -> ItemReviewFeatures | None:
        """Features in the order of `item_numbers`; None if no item has a summary."""
        allowed_aspects = [name for name in load_aspect_names() if name not in self.denied_aspects]
        features = build_review_features(summaries, item_numbers.tolist(), allowed_aspects)
        if not features.has_values:
            return None
        return features


def load_reviews(
    tenant: TenantRef,
    item_texts: Mapping[int, str],
    *,
    load_analyzer: Callable[[], ReviewAnalyzer],
    actor: Actor,
    report: Callable[[float], None],
    max_reviews: int = MAX_REVIEWS,
) -> ReviewCorpus:
    """Loads and analyses up to `max_reviews` of the newest reviews.

    Included are reviews of profiles whose consent allows their use, and anonymous reviews.

    Args:
        tenant: the tenant.
        item_texts: the text of each live item by number; reviews of other items are skipped.
        load_analyzer: is called only if there are reviews, because loading its models takes seconds.
        actor: recorded with each scope.
        report: is called with the completed fraction, 0 to 1; an exception that it raises stops the loading.
        max_reviews: the number of reviews to read.
    """
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
        consent = load_consent_filter(s, state.privacy)
        expected = min(reviews.count_reviews(s), max_reviews)
    denials = DeniedAttributes(list_denied_attributes(state.vertical, state.privacy))
    denied_aspects = tuple(name for name in load_aspect_names() if _is_denied_aspect(denials, name))
    if not expected:
        return ReviewCorpus((), denied_aspects, 0, {})
    collector = _ReviewCollector(load_analyzer(), item_texts, consent)
    for batch in _iter_batches(
        reviews.scan_reviews(
            tenant,
            actor=actor,
            max_reviews=max_reviews,
        )
    ):
        # The scan returns more than `max_reviews` if many reviews have the same time, as after an import.
        if collector.n_stored >= expected:
            break
        collector.add_page(batch)
        report(min(collector.n_stored / expected, 1.0))
    return ReviewCorpus(
        reviews=collector.reviews,
        denied_aspects=denied_aspects,
        n_stored=collector.n_stored,
        skipped=collector.count_skipped(),
    )


def _is_denied_aspect(denied_attributes: DeniedAttributes, name: str) -> bool:
    """Whether the aspect's name, or any term for it in reviews, matches a denied attribute."""
    terms = [name]
    for language in ("en", "zh"):
        terms += [term for term, aspect in load_aspect_terms(language).items() if aspect == name]
    return any(denied_attributes.find_denied_match(term) for term in terms)


def _iter_batches(pages: Iterable[Sequence[StoredReview]]) -> Iterator[Sequence[StoredReview]]:
    """Splits pages into batches so small that a cancelled job stops within a second or two."""
    for page in pages:
        for start in range(0, len(page), _BATCH_SIZE):
            yield page[start : start + _BATCH_SIZE]


class _ReviewCollector:
    """Collects analysed reviews, and counts those that were not used."""

    def __init__(
        self, analyzer: ReviewAnalyzer, item_texts: Mapping[int, str], consent: ConsentFilter
    ) -> None:
        self._analyzer = analyzer
        self._item_texts = item_texts
        self._consent = consent
        self._n_without_consent = 0
        self._n_retired = 0
        self.reviews: list[AnalysedReview] = []
        self.n_stored = 0

    def add_page(self, page: Sequence[StoredReview]) -> None:
        """Analyses the reviews that may be used."""
        of_live_items = [stored for stored in page if stored.item_no in self._item_texts]
        allowed = [stored for stored in of_live_items if self._consent.allows(stored.profile_key)]
        self.n_stored += len(page)
        self._n_retired += len(page) - len(of_live_items)
        self._n_without_consent += len(of_live_items) - len(allowed)
        texts = [self._to_review_text(stored) for stored in allowed]
        for stored, analysis in zip(allowed, self._analyzer.analyze_reviews(texts), strict=True):
            if analysis is not None:
                self.reviews.append(_to_analysed_review(stored, analysis))

    def count_skipped(self) -> dict[str, int]:
        """Positive counts by reason."""
        counts = Counter({WITHOUT_CONSENT: self._n_without_consent, ITEM_RETIRED: self._n_retired})
        counts += self._analyzer.skipped
        return {name: count for name, count in counts.items() if count}

    def _to_review_text(self, stored: StoredReview) -> ReviewText:
        return ReviewText(
            stored.review.title,
            stored.review.text,
            stored.review.language,
            self._item_texts[stored.item_no],
        )


def _to_analysed_review(stored: StoredReview, analysis: ReviewAnalysis) -> AnalysedReview:
    # Several reviews of one profile count as one reviewer; an anonymous review is a reviewer of its own.
    person = b"p" + stored.profile_key if stored.profile_key else b"r" + stored.key
    return AnalysedReview(stored.item_no, person, int(stored.at.timestamp() * 1000), analysis)
