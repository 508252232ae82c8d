"""Why an item stands in a list, in words, computed from the scores that put it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from django.utils.translation import gettext as _

from recommender.algorithms.content.review_score import ReviewScore
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.ensemble.registry import SEQUENTIAL_MODELS
from recommender.algorithms.popularity.popularity import Popularity
from recommender.serving.explanations import review_reasons as explanations_review_reasons
from recommender.serving.explanations.attribution import (
    MAX_EXPLAINED_EVENTS,
    NEIGHBOURHOOD_MODELS,
    Float64Array,
    ScoreAttribution,
    compute_attribution,
    compute_similarities,
)
from recommender.serving.scoring import Ranking, SlotArray
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import RecommendationReason
from tenants.data.queries import catalog
from tenants.data.types import ItemInput, StoredItem
from tenants.scope import Scope

_MAX_EVIDENCE = 3
_MIN_SCORE_FRACTION = 0.05
HistoryItems = Mapping[int, ItemInput]


class ShownItem(Protocol):
    @property
    def slot(self) -> int: ...
    @property
    def stored(self) -> StoredItem: ...


def explain_items(
    s: Scope, snapshot: TenantSnapshot, ranking: Ranking, shown_items: Sequence[ShownItem]
) -> list[list[RecommendationReason]]:
    """For each shown item its reasons, the greatest share of the score first; shares below 5% are left out.

    `share` is a part of the positive addends of the blended score; None where the stage has no such sum.
    """
    mine = _load_history_items(s, snapshot, ranking.history[-MAX_EXPLAINED_EVENTS:])
    ruled = [_explain_by_rules(ranking, one.slot) for one in shown_items]
    said = [
        explanations_review_reasons.build_review_reasons(snapshot, one.stored.item_no) for one in shown_items
    ]
    if not ranking.model_scores or not shown_items:
        linked = _explain_by_content(snapshot, ranking, shown_items, mine)
        return [
            [
                *rule,
                *link,
                *_explain_by_stage(ranking, one.stored.item, mine, has_other_reasons=bool(rule or link)),
                *heard,
            ]
            for one, rule, link, heard in zip(shown_items, ruled, linked, said, strict=True)
        ]
    why = compute_attribution(snapshot, ranking, [one.slot for one in shown_items])
    return [
        [
            *_merge_review_reasons(
                _explain_by_model(why, place, one.stored.item, mine),
                said[place],
                _compute_review_fraction(why, place),
            ),
            *ruled[place],
        ]
        for place, one in enumerate(shown_items)
    ]


def _load_history_items(s: Scope, snapshot: TenantSnapshot, history: SlotArray) -> HistoryItems:
    """The history's items by slot."""
    numbers = dict(zip(snapshot.catalogue.item_numbers[history].tolist(), history.tolist(), strict=True))
    rows = catalog.load_items_by_number(s, list(numbers)) if numbers else {}
    return {numbers[number]: row.item for number, row in rows.items()}


def _explain_by_model(
    attribution: ScoreAttribution, index: int, item: ItemInput, history_items: HistoryItems
) -> list[RecommendationReason]:
    addends = {
        name: max(float(values[index]), 0.0) for name, values in attribution.model_contributions.items()
    }
    total = sum(addends.values())
    if total <= 0:
        return _explain_shared_attributes(item, history_items, None) or [
            RecommendationReason("similar", _("Closest to what you chose lately"), [])
        ]
    links = sum(addends.get(name, 0.0) for name in NEIGHBOURHOOD_MODELS) / total
    found = _explain_by_neighbours(attribution, index, history_items, links)
    if (share := addends.get(TfidfContent.name, 0.0) / total) >= _MIN_SCORE_FRACTION:
        found += _explain_by_text(attribution, index, history_items, share) + _explain_shared_attributes(
            item, history_items, None
        )
    if (share := addends.get(VisualSimilarity.name, 0.0) / total) >= _MIN_SCORE_FRACTION:
        found += _build_image_reason(
            _select_strongest(
                attribution.events, attribution.similarities[VisualSimilarity.name][:, index], history_items
            ),
            round(share, 3),
        )
    if (share := addends.get(TripleSimilarity.name, 0.0) / total) >= _MIN_SCORE_FRACTION:
        found += _build_linked_reason(
            _select_strongest(
                attribution.events, attribution.similarities[TripleSimilarity.name][:, index], history_items
            ),
            round(share, 3),
        )
    if (share := sum(addends.get(name, 0.0) for name in SEQUENTIAL_MODELS) / total) >= _MIN_SCORE_FRACTION:
        found.append(
            RecommendationReason("pattern", _("Fits the order of your latest choices"), [], round(share, 3))
        )
    if (share := addends.get(Popularity.name, 0.0) / total) >= _MIN_SCORE_FRACTION:
        found.append(RecommendationReason("popular", _("Chosen by many"), [], round(share, 3)))
    return sorted(found, key=lambda reason: -(reason.share or 0.0))


def _compute_review_fraction(attribution: ScoreAttribution, index: int) -> float:
    """The share of the score that what reviews say adds."""
    addends = {
        name: max(float(values[index]), 0.0) for name, values in attribution.model_contributions.items()
    }
    return addends.get(ReviewScore.name, 0.0) / max(sum(addends.values()), 1e-12)


def _merge_review_reasons(
    reasons: list[RecommendationReason], review_reasons: list[RecommendationReason], fraction: float
) -> list[RecommendationReason]:
    """The first praise carries the share where it has one; praise that added nothing comes last, as a fact."""
    if review_reasons and fraction >= _MIN_SCORE_FRACTION:
        review_reasons = [
            msgspec.structs.replace(review_reasons[0], share=round(fraction, 3)),
            *review_reasons[1:],
        ]
    return sorted([*reasons, *review_reasons], key=lambda reason: -(reason.share or 0.0))


def _explain_by_rules(ranking: Ranking, slot: int) -> list[RecommendationReason]:
    """The rules that raised this item."""
    ids = [one.id for one in ranking.active_rules if one.weight > 0 and one.slot_mask[slot]][:_MAX_EVIDENCE]
    return [RecommendationReason("rule", _("The shop's own rule"), ids)] if ids else []


def _explain_by_content(
    snapshot: TenantSnapshot, ranking: Ranking, shown_items: Sequence[ShownItem], history_items: HistoryItems
) -> list[list[RecommendationReason]]:
    """By shown item, the own items with which it is linked by what the tenant stated, and those it looks like."""
    found: list[list[RecommendationReason]] = [[] for _ in shown_items]
    if ranking.stage not in ("content", "knowledge") or not history_items or not shown_items:
        return found
    events, slots = ranking.history[-MAX_EXPLAINED_EVENTS:], np.array([one.slot for one in shown_items])
    for name, reason in (
        (TripleSimilarity.name, _build_linked_reason),
        (VisualSimilarity.name, _build_image_reason),
    ):
        if name in snapshot.content_models:
            worth = compute_similarities(snapshot, snapshot.content_models[name], events, slots)
            for place, reasons in enumerate(found):
                reasons.extend(reason(_select_strongest(events, worth[:, place], history_items), None))
    return found


def _build_linked_reason(evidence: list[str], fraction: float | None) -> list[RecommendationReason]:
    return (
        [RecommendationReason("linked", _("Linked with what you chose"), evidence, fraction)]
        if evidence
        else []
    )


def _build_image_reason(evidence: list[str], fraction: float | None) -> list[RecommendationReason]:
    return (
        [RecommendationReason("similar_image", _("Looks like what you chose"), evidence, fraction)]
        if evidence
        else []
    )


def _explain_by_stage(
    ranking: Ranking, item: ItemInput, history_items: HistoryItems, *, has_other_reasons: bool
) -> list[RecommendationReason]:
    if ranking.stage == "knowledge":
        return _explain_shared_attributes(item, history_items, None) or (
            [] if has_other_reasons else [RecommendationReason("recent", _("New in the catalogue"), [])]
        )
    if ranking.stage == "content":
        common = _explain_shared_attributes(item, history_items, None)
        return (
            common
            if common or has_other_reasons
            else [RecommendationReason("similar", _("Closest to what you chose lately"), [])]
        )
    if ranking.stage == "popular":
        return [RecommendationReason("popular", _("Chosen by many"), [])]
    return [RecommendationReason("recent", _("New in the catalogue"), [])]


def _explain_by_neighbours(
    attribution: ScoreAttribution, index: int, history_items: HistoryItems, fraction: float
) -> list[RecommendationReason]:
    evidence = _select_strongest(attribution.events, attribution.event_contributions[:, index], history_items)
    if not evidence or fraction < _MIN_SCORE_FRACTION:
        return []
    return [
        RecommendationReason(
            "from_history", _("Often chosen with or after what you chose"), evidence, round(fraction, 3)
        )
    ]


def _explain_by_text(
    attribution: ScoreAttribution, index: int, history_items: HistoryItems, fraction: float
) -> list[RecommendationReason]:
    evidence = _select_strongest(
        attribution.events, attribution.similarities[TfidfContent.name][:, index], history_items
    )
    return (
        [RecommendationReason("similar", _("Similar to what you chose"), evidence, round(fraction, 3))]
        if evidence
        else []
    )


def _select_strongest(events: SlotArray, strength: Float64Array, history_items: HistoryItems) -> list[str]:
    """Ids of the own items with the greatest worth above zero."""
    order = [e for e in np.argsort(-strength).tolist() if strength[e] > 0 and int(events[e]) in history_items]
    return list(dict.fromkeys(history_items[int(events[e])].id for e in order))[:_MAX_EVIDENCE]


def _explain_shared_attributes(
    item: ItemInput, history_items: HistoryItems, fraction: float | None
) -> list[RecommendationReason]:
    """Categories, tags and brand that the item has in common with the history."""
    own = {name for other in history_items.values() for name in _list_labels(other)}
    common = [name for name in _list_labels(item) if name in own][:_MAX_EVIDENCE]
    return (
        [RecommendationReason("shared", _("In common with what you chose"), common, fraction)]
        if common
        else []
    )


def _list_labels(item: ItemInput) -> list[str]:
    """The most specific first: paths are stated from general to special."""
    return [*([item.brand] if item.brand else []), *item.tags, *reversed(item.categories)]
