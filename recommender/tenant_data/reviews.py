"""A tenant's reviews, read in a worker: nothing of a single review outlives the training that read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import ItemReviewFeatures
from recommender.features.specification import DeniedAttributes
from recommender.language.preprocessing.lexicon import load_aspect_names, load_aspect_terms
from recommender.language.reviews.aggregation import (
    AnalysedReview,
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
WITHOUT_CONSENT, ITEM_RETIRED = "review without consent", "review of a retired item"


@dataclass(frozen=True, slots=True)
class ReviewCorpus:
    """`stored` reviews were looked at; `left_out` counts those that say nothing here, by reason. `denied` are aspects
    that may be neither a feature nor a reason in this space."""

    reviews: Sequence[AnalysedReview]
    denied_aspects: tuple[str, ...]
    n_stored: int
    skipped: dict[str, int]

    def summarize_reviews(self, *, cutoff_ms: int | None = None) -> ReviewSummaryTable:
        """Of at least five people an item; `until` in milliseconds leaves out what was written later."""
        return aggregate_reviews(self.reviews, cutoff_ms=cutoff_ms).drop_aspects(self.denied_aspects)

    def build_item_features(
        self, summaries: ReviewSummaryTable, item_numbers: NDArray[np.int32]
    ) -> ItemReviewFeatures | None:
        """None where nothing is known of any of the items."""
        allowed = [name for name in load_aspect_names() if name not in self.denied_aspects]
        found = build_review_features(summaries, item_numbers.tolist(), allowed)
        return found if found.has_values else None


def load_reviews(
    tenant: TenantRef,
    item_texts: Mapping[int, str],
    *,
    load_analyzer: Callable[[], ReviewAnalyzer],
    actor: Actor,
    report: Callable[[float], None],
    max_reviews: int = MAX_REVIEWS,
) -> ReviewCorpus:
    """The newest `most`, of people whose behaviour may be learned from and of nobody known.

    `about` is the text of each live item by number; reviews of other items are left out. `reader` makes the reader when
    there is something to read. `report` hears the fraction done."""
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
        consent = load_consent_filter(s, state.privacy)
        expected = min(reviews.count_reviews(s), max_reviews)
    denials = DeniedAttributes(list_denied_attributes(state.vertical, state.privacy))
    denied = tuple(name for name in load_aspect_names() if _is_denied_aspect(denials, name))
    if not expected:
        return ReviewCorpus((), denied, 0, {})
    reading = _ReviewCollector(load_analyzer(), item_texts, consent)
    # Of many that share a moment, as after an import, the scan gives all.
    newest = chain.from_iterable(
        map(_iter_batches, reviews.scan_reviews(tenant, actor=actor, max_reviews=max_reviews))
    )
    while reading.n_stored < expected and (part := next(newest, None)):
        reading.add_page(part)
        report(min(reading.n_stored / expected, 1.0))
    return ReviewCorpus(reading.reviews, denied, reading.n_stored, reading.count_skipped())


def _is_denied_aspect(denied_attributes: DeniedAttributes, name: str) -> bool:
    """By its name, or by any word it is called by in a review."""
    terms = [
        term
        for language in ("en", "zh")
        for term, aspect in load_aspect_terms(language).items()
        if aspect == name
    ]
    return any(denied_attributes.find_denied_match(term) for term in (name, *terms))


def _iter_batches(page: Sequence[StoredReview], size: int = 250) -> Iterator[Sequence[StoredReview]]:
    """Small enough that a cancelled job stops within a second or two."""
    for start in range(0, len(page), size):
        yield page[start : start + size]


class _ReviewCollector:
    """Growing voices; `asked` are the profiles that granted, under opt-in, or refused."""

    def __init__(
        self, analyzer: ReviewAnalyzer, item_texts: Mapping[int, str], consent: ConsentFilter
    ) -> None:
        self._analyzer, self._item_texts, self._consent = analyzer, item_texts, consent
        self.reviews: list[AnalysedReview] = []
        self.n_stored, self._n_without_consent, self._n_retired = 0, 0, 0

    def add_page(self, page: Sequence[StoredReview]) -> None:
        live = [one for one in page if one.item_no in self._item_texts]
        may = [review for review in live if self._consent.allows(review.profile_key)]
        self.n_stored += len(page)
        self._n_retired += len(page) - len(live)
        self._n_without_consent += len(live) - len(may)
        told = [
            ReviewText(one.review.title, one.review.text, one.review.language, self._item_texts[one.item_no])
            for one in may
        ]
        for stored, reading in zip(may, self._analyzer.analyze_reviews(told), strict=True):
            if reading is not None:
                person = b"p" + stored.profile_key if stored.profile_key else b"r" + stored.key
                self.reviews.append(
                    AnalysedReview(stored.item_no, person, int(stored.at.timestamp() * 1000), reading)
                )

    def count_skipped(self) -> dict[str, int]:
        found = (
            Counter({WITHOUT_CONSENT: self._n_without_consent, ITEM_RETIRED: self._n_retired})
            + self._analyzer.skipped
        )
        return {name: count for name, count in found.items() if count}
