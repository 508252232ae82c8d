"""Answers one recommendation request: load the user's context, rank, check the stored rows, write the receipt.

Everything that needs no transaction is done by `prepare_request`; `answer_request` does the rest in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from uuid_utils.compat import uuid7

from recommender.serving import receipt, scoring, user_context
from recommender.serving.catalogue.filters import ItemFilter, can_show, parse_filter
from recommender.serving.catalogue.index import BoolArray, CatalogueIndex
from recommender.serving.content_scoring import SlotArray
from recommender.serving.explanations import reasons as model_reasons
from recommender.serving.fallback_reasons import explain_fallback, explain_truncation
from recommender.serving.ranking import Ranking
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import RecommendAnswer, RecommendationReason, RecommendedItem, RecommendRequest
from recommender.serving.user_context import UserContext
from recommender.types import Float32Array
from tenants.data.queries import catalog
from tenants.data.types import StoredItem
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

_BLOCK_GROWTH = 4


@dataclass(
    frozen=True,
    slots=True,
)
class SelectedItem:
    """A slot of the final list with its row as stored in this transaction."""

    slot: int
    score: float
    stored: StoredItem


@dataclass(
    frozen=True,
    slots=True,
)
class PreparedRequest:
    """A request with its parsed filter and the snapshot that answers it: everything found before a transaction opens."""

    request: RecommendRequest
    item_filter: ItemFilter | None
    snapshot: TenantSnapshot


def prepare_request(tenant: TenantRef, request: RecommendRequest) -> PreparedRequest:
    """Parses the filter and gets the tenant's snapshot; waits for a bounded time if the model is not loaded yet.

    Raises Invalid for a wrong filter.
    """
    item_filter = parse_filter(request.filter)
    return PreparedRequest(request, item_filter, get_snapshot_cache().get_snapshot(tenant))


def recommend(tenant: TenantRef, request: RecommendRequest, *, actor: Actor) -> RecommendAnswer:
    """Runs `prepare_request` and `answer_request` in a transaction of its own."""
    prepared = prepare_request(tenant, request)
    with scope(tenant, actor=actor) as s:
        return answer_request(s, prepared)


def answer_request(s: Scope, prepared: PreparedRequest) -> RecommendAnswer:
    """Recommends up to `request.k` items and writes the receipt.

    An item is never returned if it is retired, unavailable, excluded, disliked, in the history, or outside the filter.
    Events recorded before the call are taken into account. A missing or damaged model is no error: the answer comes from
    a later stage of the fallback chain.

    Raises:
        NotFound: the tenant has no open data space.
    """
    snapshot, request, item_filter = prepared.snapshot, prepared.request, prepared.item_filter
    has_profile_rules = snapshot.tenant_rules.rules.has_profile_rules
    user = user_context.load_user_context(s, request, with_profile=has_profile_rules)
    ranking = _rank_items(snapshot, user, explain=request.reasons)
    excluded_slots = _find_excluded_slots(
        s,
        snapshot,
        user,
        request,
    )
    allowed = mask_allowed_slots(snapshot.catalogue, item_filter, excluded_slots)
    selected = select_available_items(
        s,
        snapshot,
        ranking,
        allowed,
        request.k,
        item_filter,
    )
    answer = _build_answer(
        s,
        snapshot,
        user,
        ranking,
        selected,
        request,
    )
    item_numbers = [item.stored.item_no for item in selected]
    # In the same transaction, so that an answer without a receipt is never sent.
    receipt.write_receipt(
        s,
        answer,
        user,
        item_numbers,
        scenario=request.scenario,
    )
    return answer


def mask_allowed_slots(
    catalogue: CatalogueIndex, item_filter: ItemFilter | None, excluded_slots: SlotArray
) -> BoolArray:
    """A new mask, bool (slots): live, available unless the filter tests availability, matching, and not excluded."""
    allowed = catalogue.build_mask(item_filter)
    allowed[excluded_slots] = False
    return allowed


def select_available_items(
    s: Scope,
    snapshot: TenantSnapshot,
    ranking: Ranking,
    allowed: BoolArray,
    k: int,
    item_filter: ItemFilter | None,
) -> list[SelectedItem]:
    """The best `k` allowed items, checked against their current rows; fewer if there are no more.

    The snapshot may be seconds old, so each item's row is read in this transaction and tested again.

    Args:
        s: the tenant's scope.
        snapshot: the catalogue that the ranking refers to.
        ranking: scores of all slots; slots with -inf are not returned.
        allowed: bool (slots).
        k: the number of items.
        item_filter: the request's filter, or None.

    Returns:
        Items by descending score.
    """
    selected: list[SelectedItem] = []
    for block in _iter_best_first(
        snapshot.catalogue,
        ranking.scores,
        allowed=allowed,
        block_size=k,
    ):
        numbers = snapshot.catalogue.item_numbers[block].tolist()
        rows = catalog.load_items_by_number(s, numbers)
        for slot, number in zip(block.tolist(), numbers, strict=True):
            stored = rows.get(number)
            if stored is not None and stored.live and can_show(stored.item, item_filter):
                selected.append(SelectedItem(slot, float(ranking.scores[slot]), stored))
            if len(selected) == k:
                return selected
    return selected


def to_recommended_item(selected: SelectedItem, reasons: list[RecommendationReason]) -> RecommendedItem:
    """The response item of a selected item; the score is rounded to six decimals."""
    item = selected.stored.item
    return RecommendedItem(
        id=item.id,
        score=round(selected.score, 6),
        title=item.title,
        categories=item.categories,
        price=item.price,
        currency=item.currency,
        image_url=item.image_url,
        reasons=reasons,
    )


def _rank_items(snapshot: TenantSnapshot, user: UserContext, *, explain: bool) -> Ranking:
    catalogue = snapshot.catalogue
    # The snapshot may be older than the newest items of the history.
    has_slot = catalogue.has_slot(user.history)
    return scoring.rank_items(
        snapshot,
        catalogue.slot_by_number[user.history[has_slot]],
        user.weight[has_slot],
        is_session=user.is_from_session,
        explain=explain,
        active_rules=snapshot.tenant_rules.rules.find_active_rules(catalogue, user.profile),
    )


def _find_excluded_slots(
    s: Scope,
    snapshot: TenantSnapshot,
    user: UserContext,
    request: RecommendRequest,
) -> SlotArray:
    excluded = user_context.find_excluded_items(s, request.exclude)
    return snapshot.catalogue.get_slots(np.concatenate([user.seen, user.disliked, excluded]))


def _iter_best_first(
    catalogue: CatalogueIndex,
    scores: Float32Array,
    *,
    allowed: BoolArray,
    block_size: int,
) -> Iterator[SlotArray]:
    """Allowed slots by falling score, equal scores by newer item, in growing blocks.

    The first block is usually enough; growing blocks bound the number of sorts when many rows fail their check.
    """
    allowed_scores = np.where(allowed, scores, np.float32(-np.inf))
    n_allowed = int(np.isfinite(allowed_scores).sum())
    start = 0
    while start < n_allowed:
        end = min(start + block_size, n_allowed)
        best_slots = _select_best_slots(allowed_scores, end, catalogue)
        yield best_slots[start:end]
        start, block_size = end, block_size * _BLOCK_GROWTH


def _select_best_slots(scores: Float32Array, count: int, catalogue: CatalogueIndex) -> SlotArray:
    candidates = np.arange(scores.size)
    if count < scores.size:
        # argpartition is linear in the number of slots; only the `count` best are then sorted.
        candidates = np.argpartition(scores, -count)[-count:]
    # lexsort sorts by its last key first: score, then item number; both descending because negated.
    order = np.lexsort((-catalogue.item_numbers[candidates], -scores[candidates]))
    return candidates[order].astype(np.int32)


def _build_answer(
    s: Scope,
    snapshot: TenantSnapshot,
    user: UserContext,
    ranking: Ranking,
    selected: Sequence[SelectedItem],
    request: RecommendRequest,
) -> RecommendAnswer:
    reasons_by_item: list[list[RecommendationReason]] = [[] for _ in selected]
    if request.reasons:
        reasons_by_item = model_reasons.explain_items(
            s,
            snapshot,
            ranking,
            selected,
        )
    truncated_reason = None
    if len(selected) < request.k:
        truncated_reason = explain_truncation(snapshot, request)
    return RecommendAnswer(
        recommendation_id=str(uuid7()),
        requested=request.k,
        returned=len(selected),
        truncated_reason=truncated_reason,
        stage=ranking.stage if selected else "empty",
        fallback_reason=explain_fallback(snapshot, user, ranking),
        model_version=snapshot.version.name if snapshot.version else None,
        items=[
            to_recommended_item(item, reasons)
            for item, reasons in zip(selected, reasons_by_item, strict=True)
        ],
    )
