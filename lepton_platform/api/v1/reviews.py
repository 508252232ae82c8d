"""The addresses `reviews` and `items/{item_id}/reviews`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.bodies import KIB, DecodedBatch
from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import PAGE_PARAMETERS, BatchBody, ResponseSpec, operation
from lepton_platform.api.v1.batches import finalize_batch
from tenants.data.actions import reviews as actions
from tenants.data.queries import reviews
from tenants.data.types import ReviewInput, ReviewView, UpsertResult
from tenants.scope import Scope


class ReviewResponse(ReviewInput, frozen=True, kw_only=True, omit_defaults=False):
    at: datetime


class ReviewPage(msgspec.Struct, frozen=True):
    data: list[ReviewResponse]
    next_cursor: str | None
    has_more: bool


_EXAMPLE = {
    "id": "r-1001",
    "item_id": "mug-blue",
    "profile_id": "customer-7",
    "rating": 5,
    "title": "Sturdy",
    "text": "Keeps the tea warm.",
    "language": "en",
    "at": "2026-11-20T09:30:00Z",
}


def present_review(view: ReviewView) -> ReviewResponse:
    """Converts a stored review to its response."""
    fields = msgspec.structs.asdict(view.review)
    # The input's time is optional; the stored review always has one.
    fields["at"] = view.at
    return ReviewResponse(**fields)


@operation(
    name="record_reviews",
    method="POST",
    scope="reviews:write",
    summary="Record up to 1,000 reviews",
    responses=(
        ResponseSpec(
            UpsertResult,
            UpsertResult(1),
            description="How many rows were accepted, and the errors of the others.",
        ),
    ),
    description="A review with the `id` of a stored review replaces it.",
    body=BatchBody(ReviewInput, "reviews", {"reviews": [_EXAMPLE]}, max_bytes=16 * 1024 * KIB),
)
def record_reviews(request: ApiRequest[DecodedBatch[ReviewInput]], s: Scope) -> ApiResponse:
    """Stores up to 1,000 reviews."""
    result = actions.record_reviews(s, request.body.rows)
    return to_json_response(finalize_batch(request.body, result, name="reviews"))


@operation(
    name="list_item_reviews",
    method="GET",
    scope="items:read",
    summary="List an item's reviews",
    responses=(ResponseSpec(ReviewPage, {"data": [_EXAMPLE], "next_cursor": None, "has_more": False}),),
    description="Newest first.",
    query_parameters=PAGE_PARAMETERS,
    error_codes=("not_found",),
)
def list_item_reviews(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns a page of an item's reviews."""
    before = pagination.decode_cursor(s.tenant_id, "reviews", request.query, _parse_position)
    limit = pagination.parse_page_size(request.query)
    rows, position = reviews.list_item_reviews(s, request.path["item_id"], before=before, limit=limit)
    text = None
    if position is not None:
        # Two reviews may have the same time, so the position also contains the key of the last one.
        written_at, key = position
        text = f"{written_at.isoformat()} {key.hex()}"
    cursor = pagination.encode_cursor(s.tenant_id, "reviews", text)
    return to_json_response(ReviewPage([present_review(row) for row in rows], cursor, cursor is not None))


def _parse_position(text: str) -> tuple[datetime, bytes]:
    at, _, key = text.partition(" ")
    return datetime.fromisoformat(at), bytes.fromhex(key)
