from __future__ import annotations

from typing import Annotated, cast, get_args

import msgspec

from lepton_platform.api.call import Call, Reply, reply
from lepton_platform.api.idempotency import once_in
from lepton_platform.api.operations import Answer, Declared, Json, Parameter
from lepton_platform.api.v1.items import EXAMPLE as ITEM
from recommender import serving
from recommender.serving.similar import Likeness
from recommender.serving.types import RecommendAnswer, RecommendedItem, RecommendRequest
from tenants.errors import Invalid
from tenants.scope import scope

MAX_K = 100
LIKENESSES: tuple[str, ...] = get_args(Likeness)


class RecommendationRequest(RecommendRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 10


class SimilarItems(msgspec.Struct, frozen=True):
    data: list[RecommendedItem]


_ITEM = {
    "id": ITEM["id"],
    "score": 0.91,
    "title": ITEM["title"],
    "categories": ITEM["categories"],
    "price": ITEM["price"],
    "currency": ITEM["currency"],
    "image_url": None,
    "reasons": [
        {"kind": "because_of", "text": "Because of Red mug", "evidence": ["mug-red"], "share": 0.62},
    ],
}
_ANSWER = {
    "recommendation_id": "01936f6e-8a10-7cc1-9c1f-3b5a6c7d8e9f",
    "requested": 10,
    "returned": 1,
    "short_because": "filter",
    "stage": "model",
    "stage_because": None,
    "model_version": "v3",
    "items": [_ITEM],
}
_REQUEST = {
    "profile_id": "customer-7",
    "k": 10,
    "exclude": ["mug-green"],
    "filter": {"categories": {"in": ["mugs"]}, "price": {"gte": 5, "lt": 20}, "brand": {"eq": "Kiln & Co"}},
    "reasons": True,
}


@Declared(
    "recommend",
    "POST",
    "recommendations:read",
    "Recommend items to a profile or a session",
    (Answer(RecommendAnswer, _ANSWER, means="At most `k` items; `short_because` says why there are fewer."),),
    about=(
        "An unknown profile, an empty catalogue or a missing model is no error: `stage` says which stage of "
        "the fallback chain answered. Filters are all of equality (`eq`), membership (`in`) and ranges "
        "(`gt`, `gte`, `lt`, `lte`), and all must hold."
    ),
    body=Json(RecommendationRequest, _REQUEST),
).outside
def recommend(call: Call[RecommendationRequest]) -> Reply:
    question = serving.asked(call.tenant, call.body)
    with scope(call.tenant, actor=call.actor) as s:
        return once_in(s, call, lambda: reply(serving.answered(s, question)))


@Declared(
    "similar_items",
    "GET",
    "items:read",
    "Items similar to an item",
    (Answer(SimilarItems, {"data": [_ITEM]}),),
    query=(
        Parameter("k", "How many.", {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": 10}),
        Parameter(
            "by",
            "`look`: by their images alone; none for an item whose image no training has read.",
            {"type": "string", "enum": list(LIKENESSES), "default": "all"},
        ),
    ),
    codes=("not_found",),
).outside
def similar(call: Call[None]) -> Reply:
    found = serving.similar(call.tenant, call.path["item_id"], _k(call), by=_by(call), actor=call.actor)
    return reply(SimilarItems(found))


def _by(call: Call[None]) -> Likeness:
    text = call.query.get("by", "all")
    if text not in LIKENESSES:
        raise Invalid.at("/query/by", "unknown_likeness", f"Choose one of: {', '.join(LIKENESSES)}.")
    return cast("Likeness", text)


def _k(call: Call[None]) -> int:
    text = call.query.get("k", "10")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= MAX_K:
        raise Invalid.at("/query/k", "range", f"A whole number from 1 to {MAX_K}.")
    return int(text)
