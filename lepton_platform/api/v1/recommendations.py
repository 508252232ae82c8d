"""The addresses `recommendations` and `items/{item_id}/similar`."""

from __future__ import annotations

from typing import Annotated, cast, get_args

import msgspec

from lepton_platform.api.idempotency import run_once
from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import JsonBody, QueryParameter, ResponseSpec, operation
from lepton_platform.api.pagination import parse_count
from lepton_platform.api.v1.items import ITEM_INPUT_EXAMPLE as ITEM
from recommender import serving
from recommender.serving.fallback_reasons import NO_MORE_MATCHES
from recommender.serving.similar import SimilarityMode
from recommender.serving.types import RecommendAnswer, RecommendedItem, RecommendRequest
from tenants.errors import Invalid
from tenants.scope import scope

# Below `recommender.serving.types.MAX_K`, which bounds requests from inside the platform.
MAX_API_K = 100
# Literal types have no values at run time; get_args returns them.
SIMILARITY_MODES: tuple[str, ...] = get_args(SimilarityMode)


class RecommendationRequest(RecommendRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_API_K)] = 10


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
    "truncated_reason": NO_MORE_MATCHES,
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


@operation(
    name="recommend",
    method="POST",
    scope="recommendations:read",
    summary="Recommend items to a profile or a session",
    responses=(
        ResponseSpec(
            RecommendAnswer,
            _RECOMMENDATIONS_EXAMPLE,
            description="At most `k` items; `truncated_reason` is the reason if there are fewer.",
        ),
    ),
    description=(
        "An unknown profile, an empty catalogue or a missing model is not an error. `stage` says what ranked the items: "
        "`model`: the trained model, from the stored history of the profile; "
        "`model_session`: the trained model, from `session` alone; "
        "`content`: similarity of item texts, images or attributes to the history; "
        "`knowledge`: rules that apply to the profile, or triples of items in the history, without a trained model; "
        "`popular`: the most popular items; `recent`: the newest items; "
        "`empty`: no item is left. The first possible stage is used, in this order; `fallback_reason` says why it "
        "was not the model. "
        "A filter has conditions of equality (`eq`), membership (`in`) and range (`gt`, `gte`, `lt`, `lte`); "
        "an item must fulfil all of them."
    ),
    body=JsonBody(RecommendationRequest, _REQUEST),
    transaction=False,
)
def recommend(request: ApiRequest[RecommendationRequest]) -> ApiResponse:
    """Returns recommendations for a profile, a session, both or neither."""
    # Loading a model may take seconds; inside the transaction it would hold a database connection.
    prepared = serving.prepare_request(request.tenant, request.body)
    with scope(request.tenant, actor=request.actor) as s:
        return run_once(s, request, lambda: to_json_response(serving.answer_request(s, prepared)))


@operation(
    name="similar_items",
    method="GET",
    scope="items:read",
    summary="Items similar to an item",
    responses=(ResponseSpec(SimilarItems, {"data": [_RECOMMENDED_ITEM_EXAMPLE]}),),
    query_parameters=(
        QueryParameter(
            "k",
            "Maximum number of items.",
            {"type": "integer", "minimum": 1, "maximum": MAX_API_K, "default": 10},
        ),
        QueryParameter(
            "by",
            "`image`: by image embeddings alone; empty for an item whose image has no embedding yet.",
            {"type": "string", "enum": list(SIMILARITY_MODES), "default": "all"},
        ),
    ),
    error_codes=("not_found",),
    transaction=False,
)
def find_similar_items(request: ApiRequest[None]) -> ApiResponse:
    """Returns the items most similar to an item."""
    items = serving.find_similar_items(
        request.tenant,
        request.path["item_id"],
        parse_count(request.query, "k", default=10, maximum=MAX_API_K),
        mode=_parse_similarity_mode(request),
        actor=request.actor,
    )
    return to_json_response(SimilarItems(items))


def _parse_similarity_mode(request: ApiRequest[None]) -> SimilarityMode:
    text = request.query.get("by", "all")
    if text not in SIMILARITY_MODES:
        raise Invalid.from_field(
            "/query/by", "unknown_similarity", f"Choose one of: {', '.join(SIMILARITY_MODES)}."
        )
    return cast("SimilarityMode", text)
