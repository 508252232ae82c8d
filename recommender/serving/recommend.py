"""One recommendation, from the question to the checked list. One transaction: read, rank, check, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from uuid_utils.compat import uuid7

from recommender.serving import evidence, person, receipt, scoring, select
from recommender.serving.columns import Bools
from recommender.serving.filters import Filter, may_show, parse
from recommender.serving.person import Person
from recommender.serving.ready import Ready
from recommender.serving.scoring import Ranking, Slots
from recommender.serving.spaces import spaces
from recommender.serving.types import Reason, RecommendAnswer, RecommendedItem, RecommendRequest
from tenants.data.queries import catalog
from tenants.data.types import StoredItem
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope


@dataclass(frozen=True, slots=True)
class Chosen:
    """A slot of the final list with its row as it is in this transaction."""

    slot: int
    score: float
    stored: StoredItem


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what may answer it: everything that is found out before a transaction is opened."""

    request: RecommendRequest
    wanted: Filter | None
    ready: Ready


def asked(tenant: TenantRef, request: RecommendRequest) -> Asked:
    """Raises Invalid for a wrong filter. Waits a moment when the tenant's model is not loaded yet."""
    return Asked(request, parse(request.filter), spaces().ready(tenant))


def recommend(tenant: TenantRef, request: RecommendRequest, *, actor: Actor) -> RecommendAnswer:
    """`asked` and `answered` in a transaction of their own."""
    question = asked(tenant, request)
    with scope(tenant, actor=actor) as s:
        return answered(s, question)


def answered(s: Scope, question: Asked) -> RecommendAnswer:
    """Never an item that is retired, unavailable, excluded, disliked, already chosen or outside the filter.

    What was recorded before the call counts; the receipt is written. Raises NotFound when the space is not open;
    a missing or broken model is no error but an earlier stage.
    """
    ready, request, wanted = question.ready, question.request, question.wanted
    asks = person.read(s, request, facts=ready.stated.rules.personal)
    ranking = _ranked(ready, asks, explain=request.reasons)
    allowed = select.allowed_slots(ready.columns, wanted, _shut(s, ready, asks, request))
    chosen = checked(s, ready, ranking, allowed, request.k, wanted)
    answer = _answer(s, ready, asks, ranking, chosen, request)
    receipt.write(s, answer, asks, [one.stored.item_no for one in chosen], scenario=request.scenario)
    return answer


def _ranked(ready: Ready, asks: Person, *, explain: bool) -> Ranking:
    known = ready.columns.known(asks.history)
    slots = ready.columns.slot_of[asks.history[known]]
    return scoring.rank(
        ready,
        slots,
        asks.weight[known],
        session=asks.from_session,
        explain=explain,
        applied=ready.stated.rules.applied(ready.columns, asks.facts),
    )


def _shut(s: Scope, ready: Ready, asks: Person, request: RecommendRequest) -> Slots:
    excluded = person.excluded(s, request.exclude)
    return ready.columns.slots_of(np.concatenate([asks.met, asks.disliked, excluded]))


def checked(
    s: Scope, ready: Ready, ranking: Ranking, allowed: Bools, k: int, wanted: Filter | None
) -> list[Chosen]:
    """The best `k` whose rows, read now, may still be shown."""
    chosen: list[Chosen] = []
    for block in select.best_first(ready.columns, ranking.scores, allowed=allowed, block=k):
        rows = catalog.items_by_number(s, ready.columns.item_no[block].tolist())
        for slot in block.tolist():
            stored = rows.get(int(ready.columns.item_no[slot]))
            if stored is not None and stored.live and may_show(stored.item, wanted):
                chosen.append(Chosen(slot, float(ranking.scores[slot]), stored))
            if len(chosen) == k:
                return chosen
    return chosen


def _answer(
    s: Scope,
    ready: Ready,
    asks: Person,
    ranking: Ranking,
    chosen: Sequence[Chosen],
    request: RecommendRequest,
) -> RecommendAnswer:
    reasons = evidence.reasons(s, ready, ranking, chosen) if request.reasons else [[] for _ in chosen]
    return RecommendAnswer(
        recommendation_id=str(uuid7()),
        requested=request.k,
        returned=len(chosen),
        short_because=_short_because(ready, request) if len(chosen) < request.k else None,
        stage=ranking.stage if chosen else "empty",
        stage_because=_stage_because(ready, asks, ranking),
        model_version=ready.version.name if ready.version else None,
        items=[presented(one, why) for one, why in zip(chosen, reasons, strict=True)],
    )


def presented(chosen: Chosen, why: list[Reason]) -> RecommendedItem:
    item = chosen.stored.item
    return RecommendedItem(
        id=item.id,
        score=round(chosen.score, 6),
        title=item.title,
        categories=item.categories,
        price=item.price,
        currency=item.currency,
        image_url=item.image_url,
        reasons=why,
    )


def _short_because(ready: Ready, request: RecommendRequest) -> str:
    if not ready.columns.open.any():
        return "The catalogue has no available items."
    if request.filter:
        return "No more available items match the filter and were not chosen or excluded before."
    return "All other available items were chosen, disliked or excluded before."


def _stage_because(ready: Ready, asks: Person, ranking: Ranking) -> str | None:
    """Why it is not the full model's answer; None when it is."""
    if asks.impersonal:
        return asks.impersonal
    if ranking.stage == "empty":
        return "The catalogue is empty."
    if ranking.stage == "knowledge":
        return "Nothing is learned about this yet: what the tenant stated beforehand speaks."
    if ready.bundle is None:
        return ready.model_because or "No model has been trained yet."
    if ranking.stage in ("model", "model_session"):
        return ready.model_because or None
    if ranking.stage == "content":
        return "There is no learned behaviour for this history yet."
    if ranking.history.size:
        return "Nothing that was learned here is better than popularity."
    return "There is no history to go by."
