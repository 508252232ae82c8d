"""Explains recommended items in the reader's language, from the scores that ranked them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from recommender.algorithms.content.review_score import ReviewScore
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.ensemble.registry import SEQUENTIAL_MODELS
from recommender.algorithms.popularity.popularity import Popularity
from recommender.serving.explanations.attribution import (
    MAX_EXPLAINED_EVENTS,
    NEIGHBOURHOOD_MODELS,
    ScoreAttribution,
    compute_attribution,
    compute_similarities,
)
from recommender.serving.explanations.evidence import (
    MAX_EVIDENCE,
    HistoryItems,
    build_closest_reason,
    build_reason,
    explain_shared_attributes,
    load_history_items,
    select_strongest,
)
from recommender.serving.explanations.review_reasons import build_review_reasons
from recommender.serving.ranking import Ranking
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import ReasonKind, RecommendationReason
from tenants.data.types import ItemInput, StoredItem
from tenants.scope import Scope

_MIN_SCORE_FRACTION = 0.05


class ShownItem(Protocol):
    """An item of the answer, with its slot and stored row."""

    @property
    def slot(self) -> int:
        """The item's slot in the snapshot's catalogue."""

    @property
    def stored(self) -> StoredItem:
        """The item's row."""


@dataclass(
    frozen=True,
    slots=True,
)
class _Explanation:
    """One shown item, by its `column` in the attribution, with the history it is explained by (items by slot)."""

    attribution: ScoreAttribution
    column: int
    item: ItemInput
    history_items: HistoryItems

    def compute_fractions(self) -> dict[str, float]:
        """By model name, the model's part of the sum of positive addends; empty if no addend is positive."""
        addends: dict[str, float] = {}
        for name, values in self.attribution.model_contributions.items():
            # Negative addends lowered the score, so they explain nothing.
            addends[name] = max(float(values[self.column]), 0.0)
        total = sum(addends.values())
        if total <= 0:
            return {}
        return {name: addend / total for name, addend in addends.items()}

    def select_similar(self, name: str) -> list[str]:
        """Ids of the history's items that are most similar to the item in the space of a content model."""
        similarities = self.attribution.similarities[name][:, self.column]
        return select_strongest(self.attribution.events, similarities, self.history_items)

    def select_influential(self) -> list[str]:
        """Ids of the history's items that add most to the item's score through neighbourhood models."""
        contributions = self.attribution.event_contributions[:, self.column]
        return select_strongest(self.attribution.events, contributions, self.history_items)


@dataclass(
    frozen=True,
    slots=True,
)
class _ModelReason:
    """A kind of reason, the models whose addends it covers, and how its evidence is found.

    Without `select_evidence` the reason has no evidence; with it, a reason without evidence is left out.
    """

    kind: ReasonKind
    model_names: tuple[str, ...]
    select_evidence: Callable[[_Explanation], list[str]] | None = None


_MODEL_REASONS = (
    _ModelReason("from_history", NEIGHBOURHOOD_MODELS, _Explanation.select_influential),
    _ModelReason("similar", (TfidfContent.name,), lambda shown: shown.select_similar(TfidfContent.name)),
    _ModelReason(
        "similar_image", (VisualSimilarity.name,), lambda shown: shown.select_similar(VisualSimilarity.name)
    ),
    _ModelReason(
        "linked", (TripleSimilarity.name,), lambda shown: shown.select_similar(TripleSimilarity.name)
    ),
    _ModelReason("pattern", tuple(SEQUENTIAL_MODELS)),
    _ModelReason("popular", (Popularity.name,)),
)


_CONTENT_REASONS: tuple[tuple[str, ReasonKind], ...] = (
    (TripleSimilarity.name, "linked"),
    (VisualSimilarity.name, "similar_image"),
)


def explain_items(
    s: Scope,
    snapshot: TenantSnapshot,
    ranking: Ranking,
    shown_items: Sequence[ShownItem],
) -> list[list[RecommendationReason]]:
    """Reasons of each shown item, by descending contribution; contributions below 5 % are left out.

    Args:
        s: the tenant's scope, to read the items of the history.
        snapshot: the snapshot that the ranking was computed from.
        ranking: must hold model scores (`explain=True`) for contributions to be known.
        shown_items: the items of the answer.

    Returns:
        One list for each shown item. `contribution` is a fraction of the positive addends of the blended score; None in
        stages whose score has no such addends.
    """
    history_items = load_history_items(s, snapshot, ranking.history[-MAX_EXPLAINED_EVENTS:])
    if ranking.model_scores and shown_items:
        return _explain_by_model(
            snapshot,
            ranking,
            shown_items,
            history_items,
        )
    return _explain_by_stage(
        snapshot,
        ranking,
        shown_items,
        history_items,
    )


def _explain_by_model(
    snapshot: TenantSnapshot,
    ranking: Ranking,
    shown_items: Sequence[ShownItem],
    history_items: HistoryItems,
) -> list[list[RecommendationReason]]:
    attribution = compute_attribution(snapshot, ranking, [shown.slot for shown in shown_items])
    reasons_by_item: list[list[RecommendationReason]] = []
    for column, shown in enumerate(shown_items):
        explanation = _Explanation(
            attribution,
            column,
            shown.stored.item,
            history_items,
        )
        fractions = explanation.compute_fractions()
        review_reasons = _add_review_contribution(
            build_review_reasons(snapshot, shown.stored.item_no), fractions.get(ReviewScore.name, 0.0)
        )
        reasons = [*_build_model_reasons(explanation, fractions), *review_reasons]
        # The sort is stable: reasons without a contribution keep their order, after all others.
        reasons.sort(key=lambda reason: -(reason.contribution or 0.0))
        reasons_by_item.append([*reasons, *_explain_by_rules(ranking, shown.slot)])
    return reasons_by_item


def _build_model_reasons(
    explanation: _Explanation, fractions: Mapping[str, float]
) -> list[RecommendationReason]:
    """Reasons from _MODEL_REASONS; attributes in common are added where texts contribute, or nothing else does."""
    shared = explain_shared_attributes(explanation.item, explanation.history_items)
    if not fractions:
        return shared or [build_closest_reason()]
    reasons: list[RecommendationReason] = []
    for model_reason in _MODEL_REASONS:
        fraction = sum(fractions.get(name, 0.0) for name in model_reason.model_names)
        if fraction < _MIN_SCORE_FRACTION:
            continue
        evidence: list[str] = []
        if model_reason.select_evidence is not None:
            evidence = model_reason.select_evidence(explanation)
        if evidence or model_reason.select_evidence is None:
            reasons.append(build_reason(model_reason.kind, evidence, round(fraction, 3)))
        if TfidfContent.name in model_reason.model_names:
            reasons.extend(shared)
    return reasons


def _add_review_contribution(
    review_reasons: list[RecommendationReason], fraction: float
) -> list[RecommendationReason]:
    """The first review reason carries the contribution of the review model; the others are facts without one."""
    if not review_reasons or fraction < _MIN_SCORE_FRACTION:
        return review_reasons
    first_reason = msgspec.structs.replace(review_reasons[0], contribution=round(fraction, 3))
    return [first_reason, *review_reasons[1:]]


def _explain_by_stage(
    snapshot: TenantSnapshot,
    ranking: Ranking,
    shown_items: Sequence[ShownItem],
    history_items: HistoryItems,
) -> list[list[RecommendationReason]]:
    """Reasons for the stages after the model, whose scores are no sum of model contributions."""
    content_reasons = _explain_by_content(
        snapshot,
        ranking,
        shown_items,
        history_items,
    )
    reasons_by_item: list[list[RecommendationReason]] = []
    for shown, similar in zip(shown_items, content_reasons, strict=True):
        specific = [*_explain_by_rules(ranking, shown.slot), *similar]
        general = _explain_stage(
            ranking,
            shown.stored.item,
            history_items,
            has_other_reasons=bool(specific),
        )
        reviews = build_review_reasons(snapshot, shown.stored.item_no)
        reasons_by_item.append([*specific, *general, *reviews])
    return reasons_by_item


def _explain_by_rules(ranking: Ranking, slot: int) -> list[RecommendationReason]:
    """The rules that raised this item."""
    rule_ids = [rule.id for rule in ranking.active_rules if rule.weight > 0 and rule.slot_mask[slot]]
    if not rule_ids:
        return []
    return [build_reason("rule", rule_ids[:MAX_EVIDENCE])]


def _explain_by_content(
    snapshot: TenantSnapshot,
    ranking: Ranking,
    shown_items: Sequence[ShownItem],
    history_items: HistoryItems,
) -> list[list[RecommendationReason]]:
    """For each shown item, the history's items that it is linked with by triples, and those it looks like."""
    reasons_by_item: list[list[RecommendationReason]] = [[] for _item in shown_items]
    if ranking.stage not in ("content", "knowledge") or not history_items or not shown_items:
        return reasons_by_item
    events = ranking.history[-MAX_EXPLAINED_EVENTS:]
    shown_slots = np.array([shown.slot for shown in shown_items])
    for name, kind in _CONTENT_REASONS:
        if name not in snapshot.content_models:
            continue
        similarities = compute_similarities(
            snapshot,
            snapshot.content_models[name],
            events,
            shown_slots,
        )
        for column, reasons in enumerate(reasons_by_item):
            evidence = select_strongest(events, similarities[:, column], history_items)
            if evidence:
                reasons.append(build_reason(kind, evidence))
    return reasons_by_item


def _explain_stage(
    ranking: Ranking,
    item: ItemInput,
    history_items: HistoryItems,
    *,
    has_other_reasons: bool,
) -> list[RecommendationReason]:
    """The general reason of a stage; in stages of content only if there is no more specific one."""
    if ranking.stage == "popular":
        return [build_reason("popular")]
    if ranking.stage not in ("content", "knowledge"):
        return [build_reason("recent")]
    shared = explain_shared_attributes(item, history_items)
    if shared or has_other_reasons:
        return shared
    if ranking.stage == "content":
        return [build_closest_reason()]
    return [build_reason("recent")]
