from __future__ import annotations

from datetime import datetime

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.bodies import KIB, Batch
from lepton_platform.api.call import Call, Reply, reply
from lepton_platform.api.operations import LISTING, Answer, Declared, Rows
from lepton_platform.api.v1.batches import settled
from tenants.data.actions import reviews as actions
from tenants.data.queries import reviews
from tenants.data.types import ReviewInput, ReviewView, UpsertResult
from tenants.scope import Scope


class Review(ReviewInput, frozen=True, kw_only=True, omit_defaults=False):
    at: datetime


class ReviewPage(msgspec.Struct, frozen=True):
    data: list[Review]
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


def present(view: ReviewView) -> Review:
    return Review(**{**msgspec.structs.asdict(view.review), "at": view.at})


@Declared(
    "record_reviews",
    "POST",
    "reviews:write",
    "Record up to 1,000 reviews",
    (Answer(UpsertResult, UpsertResult(1), means="What was taken, and why not the rest."),),
    about="A review with an `id` that is known replaces that review.",
    body=Rows(ReviewInput, "reviews", {"reviews": [_EXAMPLE]}, limit=16 * 1024 * KIB),
).inside
def record(call: Call[Batch[ReviewInput]], s: Scope) -> Reply:
    result = actions.record_reviews(s, call.body.rows)
    return reply(settled(call.body, result, name="reviews"))


@Declared(
    "list_item_reviews",
    "GET",
    "items:read",
    "List an item's reviews",
    (Answer(ReviewPage, {"data": [_EXAMPLE], "next_cursor": None, "has_more": False}),),
    about="Newest first.",
    query=LISTING,
    codes=("not_found",),
).inside
def index(call: Call[None], s: Scope) -> Reply:
    before = pagination.read_cursor(s.tenant_id, "reviews", call.query, _position)
    item_id, limit = call.path["item_id"], pagination.limit(call.query)
    rows, position = reviews.reviews_of_item(s, item_id, before=before, limit=limit)
    text = position and f"{position[0].isoformat()} {position[1].hex()}"
    cursor = pagination.write_cursor(s.tenant_id, "reviews", text)
    return reply(ReviewPage([present(row) for row in rows], cursor, cursor is not None))


def _position(text: str) -> tuple[datetime, bytes]:
    at, _, key = text.partition(" ")
    return datetime.fromisoformat(at), bytes.fromhex(key)
