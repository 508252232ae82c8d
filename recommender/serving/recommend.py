"""One recommendation, from the question to the checked list. One transaction: read, rank, check, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from uuid_utils.compat import uuid7

from recommender.serving import receipt, scoring, select, user_context
from recommender.serving.catalogue.filters import ItemFilter, can_show, parse_filter
from recommender.serving.catalogue.index import BoolArray
from recommender.serving.explanations import reasons as model_reasons
from recommender.serving.scoring import Ranking, SlotArray
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import RecommendAnswer, RecommendationReason, RecommendedItem, RecommendRequest
from recommender.serving.user_context import UserContext
from tenants.data.queries import catalog
from tenants.data.types import StoredItem
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope


@dataclass(frozen=True, slots=True)
class SelectedItem:
    """A slot of the final list with its row as it is in this transaction."""

    slot: int
    score: float
    stored: StoredItem


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A question with what may answer it: everything that is found out before a transaction is opened."""

    request: RecommendRequest
    item_filter: ItemFilter | None
    snapshot: TenantSnapshot


def prepare_request(tenant: TenantRef, request: RecommendRequest) -> PreparedRequest:
    """Raises Invalid for a wrong filter. Waits a moment when the tenant's model is not loaded yet."""
    return PreparedRequest(request, parse_filter(request.filter), get_snapshot_cache().get_snapshot(tenant))


def recommend(tenant: TenantRef, request: RecommendRequest, *, actor: Actor) -> RecommendAnswer:
    """`asked` and `answered` in a transaction of their own."""
    question = prepare_request(tenant, request)
    with scope(tenant, actor=actor) as s:
        return answer_request(s, question)


def answer_request(s: Scope, prepared: PreparedRequest) -> RecommendAnswer:
    """Never an item that is retired, unavailable, excluded, disliked, already chosen or outside the filter.

    What was recorded before the call counts; the receipt is written. Raises NotFound when the space is not open;
    a missing or broken model is no error but an earlier stage.
    """
    ready, request, wanted = prepared.snapshot, prepared.request, prepared.item_filter
    asks = user_context.load_user_context(s, request, with_profile=ready.tenant_rules.rules.has_profile_rules)
    ranking = _rank_items(ready, asks, explain=request.reasons)
    allowed = select.mask_allowed_slots(
        ready.catalogue, wanted, _find_excluded_slots(s, ready, asks, request)
    )
    chosen = select_available_items(s, ready, ranking, allowed, request.k, wanted)
    answer = _build_answer(s, ready, asks, ranking, chosen, request)
    receipt.write_receipt(s, answer, asks, [one.stored.item_no for one in chosen], scenario=request.scenario)
    return answer


def _rank_items(snapshot: TenantSnapshot, user: UserContext, *, explain: bool) -> Ranking:
    known = snapshot.catalogue.has_slot(user.history)
    slots = snapshot.catalogue.slot_by_number[user.history[known]]
    return scoring.rank_items(
        snapshot,
        slots,
        user.weight[known],
        is_session=user.is_from_session,
        explain=explain,
        active_rules=snapshot.tenant_rules.rules.find_active_rules(snapshot.catalogue, user.profile),
    )


def _find_excluded_slots(
    s: Scope, snapshot: TenantSnapshot, user: UserContext, request: RecommendRequest
) -> SlotArray:
    excluded = user_context.find_excluded_items(s, request.exclude)
    return snapshot.catalogue.get_slots(np.concatenate([user.seen, user.disliked, excluded]))


def select_available_items(
    s: Scope,
    snapshot: TenantSnapshot,
    ranking: Ranking,
    allowed: BoolArray,
    k: int,
    item_filter: ItemFilter | None,
) -> list[SelectedItem]:
    """The best `k` whose rows, read now, may still be shown."""
    chosen: list[SelectedItem] = []
    for block in select.iter_best_first(snapshot.catalogue, ranking.scores, allowed=allowed, block_size=k):
        rows = catalog.load_items_by_number(s, snapshot.catalogue.item_numbers[block].tolist())
        for slot in block.tolist():
            stored = rows.get(int(snapshot.catalogue.item_numbers[slot]))
            if stored is not None and stored.live and can_show(stored.item, item_filter):
                chosen.append(SelectedItem(slot, float(ranking.scores[slot]), stored))
            if len(chosen) == k:
                return chosen
    return chosen


def _build_answer(
    s: Scope,
    snapshot: TenantSnapshot,
    user: UserContext,
    ranking: Ranking,
    selected: Sequence[SelectedItem],
    request: RecommendRequest,
) -> RecommendAnswer:
    reasons = (
        model_reasons.explain_items(s, snapshot, ranking, selected)
        if request.reasons
        else [[] for _ in selected]
    )
    return RecommendAnswer(
        recommendation_id=str(uuid7()),
        requested=request.k,
        returned=len(selected),
        truncated_reason=_explain_truncation(snapshot, request) if len(selected) < request.k else None,
        stage=ranking.stage if selected else "empty",
        fallback_reason=_explain_stage(snapshot, user, ranking),
        model_version=snapshot.version.name if snapshot.version else None,
        items=[to_recommended_item(one, why) for one, why in zip(selected, reasons, strict=True)],
    )


def to_recommended_item(selected: SelectedItem, reasons: list[RecommendationReason]) -> RecommendedItem:
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


def _explain_truncation(snapshot: TenantSnapshot, request: RecommendRequest) -> str:
    if not snapshot.catalogue.can_be_shown.any():
        return "The catalogue has no available items."
    if request.filter:
        return "No more available items match the filter and were not chosen or excluded before."
    return "All other available items were chosen, disliked or excluded before."


def _explain_stage(snapshot: TenantSnapshot, user: UserContext, ranking: Ranking) -> str | None:
    """Why it is not the full model's answer; None when it is."""
    if user.not_personalised_reason:
        return user.not_personalised_reason
    if ranking.stage == "empty":
        return "The catalogue is empty."
    if ranking.stage == "knowledge":
        return "Nothing is learned about this yet: what the tenant stated beforehand speaks."
    if snapshot.bundle is None:
        return snapshot.model_problem or "No model has been trained yet."
    if ranking.stage in ("model", "model_session"):
        return snapshot.model_problem or None
    if ranking.stage == "content":
        return "There is no learned behaviour for this history yet."
    if ranking.history.size:
        return "Nothing that was learned here is better than popularity."
    return "There is no history to go by."
