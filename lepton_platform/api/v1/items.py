"""The addresses `items`, `items/batch` and `items/{item_id}`."""

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
    QueryParameter,
    ResponseSpec,
    operation,
)
from lepton_platform.api.v1.batches import finalize_batch
from tenants.data.actions import catalog as actions
from tenants.data.queries import catalog
from tenants.data.types import ItemInput, ItemView, RowError, UpsertResult
from tenants.errors import Invalid
from tenants.scope import Scope

MAX_SEARCH_LENGTH = 200


class ItemResponse(ItemInput, frozen=True, kw_only=True, omit_defaults=False):
    """`live` is false after the item was retired. `version` is the catalogue version of the item's last change."""

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
    """Converts a stored item to its response."""
    return ItemResponse(
        **msgspec.structs.asdict(view.item),
        live=view.live,
        version=view.version,
        created_at=view.created_at,
        updated_at=view.updated_at,
        has_image=view.has_image,
    )


@operation(
    name="upsert_item",
    method="POST",
    scope="items:write",
    summary="Add or replace an item",
    responses=(ResponseSpec(ItemResponse, ITEM_EXAMPLE, description="The item as stored."),),
    body=JsonBody(ItemInput, ITEM_INPUT_EXAMPLE),
)
def upsert_item(request: ApiRequest[ItemInput], s: Scope) -> ApiResponse:
    """Stores one item and returns it."""
    # The action works on batches; for one item the first error is that of the item.
    result = actions.upsert_items(s, [request.body])
    if result.rejected:
        error = result.rejected[0]
        raise Invalid.from_field(error.pointer, error.code, error.detail)
    return to_json_response(present_item(catalog.get_item(s, request.body.id)))


@operation(
    name="upsert_items",
    method="POST",
    scope="items:write",
    summary="Add or replace up to 1,000 items",
    responses=(
        ResponseSpec(
            UpsertResult,
            UpsertResult(1, 0, 0, [_REJECTED]),
            description="How many rows were accepted, and the errors of the others.",
        ),
    ),
    body=BatchBody(ItemInput, "items", {"items": [ITEM_INPUT_EXAMPLE]}, max_bytes=16 * 1024 * KIB),
)
def upsert_items(request: ApiRequest[DecodedBatch[ItemInput]], s: Scope) -> ApiResponse:
    """Stores up to 1,000 items."""
    result = actions.upsert_items(s, request.body.rows)
    return to_json_response(finalize_batch(request.body, result, name="items"))


@operation(
    name="list_items",
    method="GET",
    scope="items:read",
    summary="List items",
    responses=(ResponseSpec(ItemPage, {"data": [ITEM_EXAMPLE], "next_cursor": None, "has_more": False}),),
    description="Oldest first, including retired items. With `search`, a page may have fewer rows than `limit` although more pages follow.",
    query_parameters=(
        *PAGE_PARAMETERS,
        QueryParameter(
            "search", "Part of the title, id, brand or a category.", {"type": "string", "maxLength": 200}
        ),
    ),
)
def list_items(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns a page of the catalogue."""
    after = pagination.decode_cursor(s.tenant_id, "items", request.query, int)
    limit = pagination.parse_page_size(request.query)
    search = request.query.get("search", "")
    # Search decrypts and compares row by row, so a long text would cost time for every row.
    if len(search) > MAX_SEARCH_LENGTH:
        raise Invalid.from_field("/query/search", "length", f"At most {MAX_SEARCH_LENGTH} characters.")
    # The API lists retired items too, so that clients can synchronise their catalogue.
    rows, position = catalog.list_items(s, after=after or 0, limit=limit, search=search, live_only=False)
    cursor = pagination.encode_cursor(s.tenant_id, "items", position)
    return to_json_response(ItemPage([present_item(row) for row in rows], cursor, cursor is not None))


@operation(
    name="get_item",
    method="GET",
    scope="items:read",
    summary="Read an item",
    responses=(ResponseSpec(ItemResponse, ITEM_EXAMPLE),),
    error_codes=("not_found",),
)
def get_item(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns one item."""
    return to_json_response(present_item(catalog.get_item(s, request.path["item_id"])))


@operation(
    name="retire_item",
    method="DELETE",
    scope="items:write",
    summary="Retire an item",
    responses=(
        ResponseSpec(
            None, status=204, description="Retired: the item is no longer recommended. Its events are kept."
        ),
    ),
    description="Send the item again to restore it.",
    error_codes=("not_found",),
)
def retire_item(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Marks an item as retired."""
    actions.retire_item(s, request.path["item_id"])
    return NO_CONTENT
