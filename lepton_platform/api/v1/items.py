from __future__ import annotations

from datetime import datetime

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.bodies import KIB, DecodedBatch
from lepton_platform.api.messages import NO_CONTENT, ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import (
    PAGE_PARAMETERS,
    BatchBody,
    JsonBody,
    OperationDeclaration,
    QueryParameter,
    ResponseSpec,
)
from lepton_platform.api.v1.batches import finalize_batch
from tenants.data.actions import catalog as actions
from tenants.data.queries import catalog
from tenants.data.types import ItemInput, ItemView, RowError, UpsertResult
from tenants.errors import Invalid
from tenants.scope import Scope

MAX_SEARCH_LENGTH = 200


class ItemResponse(ItemInput, frozen=True, kw_only=True, omit_defaults=False):
    """`live` is false once an item is retired; `version` is the catalogue's version of its last change."""

    live: bool
    version: int
    created_at: datetime
    updated_at: datetime
    has_image: bool


class ItemPage(msgspec.Struct, frozen=True):
    data: list[ItemResponse]
    next_cursor: str | None
    has_more: bool


ITEM_INPUT_EXAMPLE = {
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
ITEM_EXAMPLE = {
    **ITEM_INPUT_EXAMPLE,
    "image_url": None,
    "available": True,
    "live": True,
    "version": 42,
    "created_at": "2026-11-01T08:00:00Z",
    "updated_at": "2026-11-20T09:30:00Z",
    "has_image": False,
}
_REJECTED = RowError(1, "/items/1/price", "type", "Expected `float | null`, got `str`.")


def present_item(view: ItemView) -> ItemResponse:
    return ItemResponse(
        **msgspec.structs.asdict(view.item),
        live=view.live,
        version=view.version,
        created_at=view.created_at,
        updated_at=view.updated_at,
        has_image=view.has_image,
    )


@OperationDeclaration(
    "upsert_item",
    "POST",
    "items:write",
    "Add or replace an item",
    (ResponseSpec(ItemResponse, ITEM_EXAMPLE, description="The item as stored."),),
    body=JsonBody(ItemInput, ITEM_INPUT_EXAMPLE),
).bind_in_scope
def upsert_item(request: ApiRequest[ItemInput], s: Scope) -> ApiResponse:
    result = actions.upsert_items(s, [request.body])
    if result.rejected:
        raise Invalid.from_field(
            result.rejected[0].pointer, result.rejected[0].code, result.rejected[0].detail
        )
    return to_json_response(present_item(catalog.get_item(s, request.body.id)))


@OperationDeclaration(
    "upsert_items",
    "POST",
    "items:write",
    "Add or replace up to 1,000 items",
    (
        ResponseSpec(
            UpsertResult,
            UpsertResult(1, 0, 0, [_REJECTED]),
            description="What was taken, and why not the rest.",
        ),
    ),
    body=BatchBody(ItemInput, "items", {"items": [ITEM_INPUT_EXAMPLE]}, max_bytes=16 * 1024 * KIB),
).bind_in_scope
def upsert_items(request: ApiRequest[DecodedBatch[ItemInput]], s: Scope) -> ApiResponse:
    result = actions.upsert_items(s, request.body.rows)
    return to_json_response(finalize_batch(request.body, result, name="items"))


@OperationDeclaration(
    "list_items",
    "GET",
    "items:read",
    "List items",
    (ResponseSpec(ItemPage, {"data": [ITEM_EXAMPLE], "next_cursor": None, "has_more": False}),),
    description="Oldest first, retired ones included. With `search` a page may hold fewer rows while more follow.",
    query_parameters=(
        *PAGE_PARAMETERS,
        QueryParameter(
            "search", "Part of the title, id, brand or a category.", {"type": "string", "maxLength": 200}
        ),
    ),
).bind_in_scope
def list_items(request: ApiRequest[None], s: Scope) -> ApiResponse:
    after = pagination.decode_cursor(s.tenant_id, "items", request.query, int)
    limit, search = pagination.parse_page_size(request.query), request.query.get("search", "")
    if len(search) > MAX_SEARCH_LENGTH:
        raise Invalid.from_field("/query/search", "length", f"At most {MAX_SEARCH_LENGTH} characters.")
    rows, position = catalog.list_items(s, after=after or 0, limit=limit, search=search, live_only=False)
    cursor = pagination.encode_cursor(s.tenant_id, "items", position)
    return to_json_response(ItemPage([present_item(row) for row in rows], cursor, cursor is not None))


@OperationDeclaration(
    "get_item",
    "GET",
    "items:read",
    "Read an item",
    (ResponseSpec(ItemResponse, ITEM_EXAMPLE),),
    error_codes=("not_found",),
).bind_in_scope
def get_item(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(present_item(catalog.get_item(s, request.path["item_id"])))


@OperationDeclaration(
    "retire_item",
    "DELETE",
    "items:write",
    "Retire an item",
    (ResponseSpec(None, status=204, description="Retired: never recommended again, history kept."),),
    description="Send the item again to bring it back.",
    error_codes=("not_found",),
).bind_in_scope
def retire_item(request: ApiRequest[None], s: Scope) -> ApiResponse:
    actions.retire_item(s, request.path["item_id"])
    return NO_CONTENT
