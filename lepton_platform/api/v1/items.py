from __future__ import annotations

from datetime import datetime

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.bodies import KIB, Batch
from lepton_platform.api.call import NO_CONTENT, Call, Reply, reply
from lepton_platform.api.operations import LISTING, Answer, Declared, Json, Parameter, Rows
from lepton_platform.api.v1.batches import settled
from tenants.data.actions import catalog as actions
from tenants.data.queries import catalog
from tenants.data.types import ItemInput, ItemView, RowError, UpsertResult
from tenants.errors import Invalid
from tenants.scope import Scope

MAX_SEARCH = 200


class Item(ItemInput, frozen=True, kw_only=True, omit_defaults=False):
    """`live` is false once an item is retired; `version` is the catalogue's version of its last change."""

    live: bool
    version: int
    created_at: datetime
    updated_at: datetime
    has_image: bool


class ItemPage(msgspec.Struct, frozen=True):
    data: list[Item]
    next_cursor: str | None
    has_more: bool


EXAMPLE = {
    "id": "mug-blue",
    "title": "Blue mug",
    "description": "Stoneware, 350 ml.",
    "categories": ["kitchen", "mugs"],
    "tags": ["gift"],
    "brand": "Kiln & Co",
    "price": 12.5,
    "currency": "EUR",
    "language": "en",
    "attributes": {"colour": "blue", "dishwasher_safe": True},
}
ITEM = {
    **EXAMPLE,
    "image_url": None,
    "available": True,
    "live": True,
    "version": 42,
    "created_at": "2026-11-01T08:00:00Z",
    "updated_at": "2026-11-20T09:30:00Z",
    "has_image": False,
}
_REJECTED = RowError(1, "/items/1/price", "type", "Expected `float | null`, got `str`.")


def present(view: ItemView) -> Item:
    return Item(
        **msgspec.structs.asdict(view.item),
        live=view.live,
        version=view.version,
        created_at=view.created_at,
        updated_at=view.updated_at,
        has_image=view.has_image,
    )


@Declared(
    "upsert_item",
    "POST",
    "items:write",
    "Add or replace an item",
    (Answer(Item, ITEM, means="The item as stored."),),
    body=Json(ItemInput, EXAMPLE),
).inside
def upsert(call: Call[ItemInput], s: Scope) -> Reply:
    result = actions.upsert_items(s, [call.body])
    if result.rejected:
        raise Invalid.at(result.rejected[0].pointer, result.rejected[0].code, result.rejected[0].detail)
    return reply(present(catalog.item(s, call.body.id)))


@Declared(
    "upsert_items",
    "POST",
    "items:write",
    "Add or replace up to 1,000 items",
    (
        Answer(
            UpsertResult, UpsertResult(1, 0, 0, [_REJECTED]), means="What was taken, and why not the rest."
        ),
    ),
    body=Rows(ItemInput, "items", {"items": [EXAMPLE]}, limit=16 * 1024 * KIB),
).inside
def upsert_batch(call: Call[Batch[ItemInput]], s: Scope) -> Reply:
    result = actions.upsert_items(s, call.body.rows)
    return reply(settled(call.body, result, name="items"))


@Declared(
    "list_items",
    "GET",
    "items:read",
    "List items",
    (Answer(ItemPage, {"data": [ITEM], "next_cursor": None, "has_more": False}),),
    about="Oldest first, retired ones included. With `search` a page may hold fewer rows while more follow.",
    query=(
        *LISTING,
        Parameter(
            "search", "Part of the title, id, brand or a category.", {"type": "string", "maxLength": 200}
        ),
    ),
).inside
def index(call: Call[None], s: Scope) -> Reply:
    after = pagination.read_cursor(s.tenant_id, "items", call.query, int)
    limit, search = pagination.limit(call.query), call.query.get("search", "")
    if len(search) > MAX_SEARCH:
        raise Invalid.at("/query/search", "length", f"At most {MAX_SEARCH} characters.")
    rows, position = catalog.items_page(s, after=after or 0, limit=limit, search=search, live_only=False)
    cursor = pagination.write_cursor(s.tenant_id, "items", position)
    return reply(ItemPage([present(row) for row in rows], cursor, cursor is not None))


@Declared("get_item", "GET", "items:read", "Read an item", (Answer(Item, ITEM),), codes=("not_found",)).inside
def get(call: Call[None], s: Scope) -> Reply:
    return reply(present(catalog.item(s, call.path["item_id"])))


@Declared(
    "retire_item",
    "DELETE",
    "items:write",
    "Retire an item",
    (Answer(None, status=204, means="Retired: never recommended again, history kept."),),
    about="Send the item again to bring it back.",
    codes=("not_found",),
).inside
def retire(call: Call[None], s: Scope) -> Reply:
    actions.retire_item(s, call.path["item_id"])
    return NO_CONTENT
