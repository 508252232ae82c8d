from __future__ import annotations

from typing import Annotated, cast, get_args

import msgspec

from lepton_platform.api.idempotency import run_once
from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import JsonBody, OperationDeclaration, QueryParameter, ResponseSpec
from lepton_platform.api.v1.items import ITEM_INPUT_EXAMPLE as ITEM
from recommender import serving
from recommender.serving.similar import SimilarityMode
from recommender.serving.types import RecommendAnswer, RecommendedItem, RecommendRequest
from tenants.errors import Invalid
from tenants.scope import scope

MAX_K = 100
SIMILARITY_MODES: tuple[str, ...] = get_args(SimilarityMode)


class RecommendationRequest(RecommendRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 10


class SimilarItems(msgspec.Struct, frozen=True):
    data: list[RecommendedItem]


_RECOMMENDED_ITEM_EXAMPLE = {
    "id": ITEM["id"],
    "score": 0.91,
    "title": ITEM["title"],
    "categories": ITEM["categories"],
    "price": ITEM["price"],
    "currency": ITEM["currency"],
    "image_url": None,
    "reasons": [
        {"kind": "from_history", "text": "Because of Red mug", "evidence": ["mug-red"], "contribution": 0.62},
    ],
}
_RECOMMENDATIONS_EXAMPLE = {
    "recommendation_id": "01936f6e-8a10-7cc1-9c1f-3b5a6c7d8e9f",
    "requested": 10,
    "returned": 1,
    "truncated_reason": "filter",
    "stage": "model",
    "fallback_reason": None,
    "model_version": "v3",
    "items": [_RECOMMENDED_ITEM_EXAMPLE],
}
_REQUEST = {
    "profile_id": "customer-7",
    "k": 10,
    "exclude": ["mug-green"],
    "filter": {"categories": {"in": ["mugs"]}, "price": {"gte": 5, "lt": 20}, "brand": {"eq": "Kiln & Co"}},
    "reasons": True,
}


@OperationDeclaration(
    "recommend",
    "POST",
    "recommendations:read",
    "Recommend items to a profile or a session",
    (
        ResponseSpec(
            RecommendAnswer,
            _RECOMMENDATIONS_EXAMPLE,
            description="At most `k` items; `truncated_reason` says why there are fewer.",
        ),
    ),
    description=(
        "An unknown profile, an empty catalogue or a missing model is no error: `stage` says which stage of "
        "the fallback chain answered. Filters are all of equality (`eq`), membership (`in`) and ranges "
        "(`gt`, `gte`, `lt`, `lte`), and all must hold."
    ),
    body=JsonBody(RecommendationRequest, _REQUEST),
).bind_without_scope
def recommend(request: ApiRequest[RecommendationRequest]) -> ApiResponse:
    question = serving.prepare_request(request.tenant, request.body)
    with scope(request.tenant, actor=request.actor) as s:
        return run_once(s, request, lambda: to_json_response(serving.answer_request(s, question)))


@OperationDeclaration(
    "similar_items",
    "GET",
    "items:read",
    "Items similar to an item",
    (ResponseSpec(SimilarItems, {"data": [_RECOMMENDED_ITEM_EXAMPLE]}),),
    query_parameters=(
        QueryParameter("k", "How many.", {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": 10}),
        QueryParameter(
            "by",
            "`image`: by image embeddings alone; empty for an item whose image has no embedding yet.",
            {"type": "string", "enum": list(SIMILARITY_MODES), "default": "all"},
        ),
    ),
    error_codes=("not_found",),
).bind_without_scope
def find_similar_items(request: ApiRequest[None]) -> ApiResponse:
    found = serving.find_similar_items(
        request.tenant,
        request.path["item_id"],
        _parse_k(request),
        mode=_parse_similarity_mode(request),
        actor=request.actor,
    )
    return to_json_response(SimilarItems(found))


def _parse_similarity_mode(request: ApiRequest[None]) -> SimilarityMode:
    text = request.query.get("by", "all")
    if text not in SIMILARITY_MODES:
        raise Invalid.from_field(
            "/query/by", "unknown_similarity", f"Choose one of: {', '.join(SIMILARITY_MODES)}."
        )
    return cast("SimilarityMode", text)


def _parse_k(request: ApiRequest[None]) -> int:
    text = request.query.get("k", "10")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= MAX_K:
        raise Invalid.from_field("/query/k", "range", f"A whole number from 1 to {MAX_K}.")
    return int(text)
