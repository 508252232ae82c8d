"""Queries on the catalogue."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.types import ItemInput, ItemView, StoredItem
from tenants.errors import NotFound
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_decoder = msgspec.json.Decoder(ItemInput)
_ROW_ID = struct.Struct(">q")
_GET = """
SELECT i.item_no, i.version, i.live, i.body, i.created_at, i.updated_at, g.item_no IS NOT NULL
FROM data_item i LEFT JOIN data_itemimage g ON g.tenant_id = i.tenant_id AND g.item_no = i.item_no
WHERE i.tenant_id = %s AND i.item_key = %b
"""
_PAGE = """
SELECT i.item_no, i.version, i.live, i.body, i.created_at, i.updated_at, g.item_no IS NOT NULL
FROM data_item i LEFT JOIN data_itemimage g ON g.tenant_id = i.tenant_id AND g.item_no = i.item_no
WHERE i.tenant_id = %s AND i.item_no > %s AND i.live >= %s
ORDER BY i.item_no LIMIT %s
"""
# A row comparison: the index on (version, item_no) serves it.
_CHANGED = """
SELECT item_no, version, live, body FROM data_item
WHERE tenant_id = %s AND (version, item_no) > (%s, %s) ORDER BY version, item_no LIMIT %s
"""
_BY_NUMBER = "SELECT item_no, version, live, body FROM data_item WHERE tenant_id = %s AND item_no = ANY(%b)"
_COUNT = "SELECT count(*) FILTER (WHERE live), count(*) FROM data_item WHERE tenant_id = %s"
# Bodies are encrypted, so a search opens items one by one; this bounds the cost of a call.
SEARCH_WINDOW = 2_000


def get_item_cipher(tenant: TenantRef) -> BoundCipher:
    """Returns the cipher of item bodies."""
    return get_keyring(tenant).get_cipher(Purpose.CATALOGUE, table="item", column="body")


def encode_item_row_id(item_no: int) -> bytes:
    """Returns the row id that an item's body is bound to."""
    return _ROW_ID.pack(item_no)


def get_item(s: Scope, item_id: str) -> ItemView:
    """Returns one item, live or retired. Raises NotFound, also for an id of another tenant."""
    return _to_view(s, fetch_item_row(s, _GET, item_id))


def fetch_item_row(s: Scope, sql: str, item_id: str) -> tuple[Any, ...]:
    """Executes `sql` with (tenant, item key) and returns its row. Raises NotFound."""
    key = get_keyring(s.ref).derive_pseudonym("item", item_id)
    row = s.cursor(binary=True).execute(sql, (s.tenant_id, key)).fetchone()
    if row is None:
        raise NotFound("No item has this id.")
    return row


def get_item_no(s: Scope, item_id: str) -> int:
    """Returns the number of an item. Raises NotFound."""
    sql = "SELECT item_no FROM data_item WHERE tenant_id = %s AND item_key = %b"
    number: int = fetch_item_row(s, sql, item_id)[0]
    return number


def list_items(
    s: Scope,
    *,
    after: int = 0,
    limit: int = 50,
    search: str = "",
    live_only: bool = True,
) -> tuple[list[ItemView], int | None]:
    """Returns a page of items in the order of their numbers.

    Args:
        s: The tenant's scope.
        after: The cursor of the previous page.
        limit: Maximum number of items.
        search: Case-insensitive text in title, id, brand or categories. A call examines at most SEARCH_WINDOW items, so
            a page can hold fewer than `limit` items although more follow.
        live_only: Whether to skip retired items.

    Returns:
        The items, and the cursor of the next page or None at the end.
    """
    window = SEARCH_WINDOW if search else limit
    rows = s.cursor(binary=True).execute(_PAGE, (s.tenant_id, after, live_only, window + 1)).fetchall()
    has_more = len(rows) > window
    rows = rows[:window]
    views: list[ItemView] = []
    for row in rows:
        view = _to_view(s, row)
        if not search or _is_match(view.item, search.casefold()):
            views.append(view)
        if len(views) == limit and row is not rows[-1]:
            return views, row[0]
    if not has_more:
        return views, None
    return views, rows[-1][0]


def _is_match(item: ItemInput, search: str) -> bool:
    texts = (item.title, item.id, item.brand or "", *item.categories)
    return any(search in text.casefold() for text in texts)


def list_changed_items(
    s: Scope,
    version: int,
    *,
    after_no: int = 0,
    limit: int = 5_000,
) -> list[StoredItem]:
    """Returns items written after (version, item_no), ordered by both, retired items included.

    The last item of a page is the start of the next.
    """
    parameters = (s.tenant_id, version, after_no, limit)
    return _open_items(s, s.cursor(binary=True).execute(_CHANGED, parameters).fetchall())


def load_items_by_number(s: Scope, numbers: Sequence[int]) -> dict[int, StoredItem]:
    """Returns the existing items among `numbers` by number, retired items included."""
    rows = s.cursor(binary=True).execute(_BY_NUMBER, (s.tenant_id, list(numbers)), prepare=True).fetchall()
    return {stored.item_no: stored for stored in _open_items(s, rows)}


def count_items(s: Scope) -> tuple[int, int]:
    """Returns the number of live items and of all items."""
    row = s.cursor().execute(_COUNT, (s.tenant_id,)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _open_items(s: Scope, rows: Sequence[tuple[Any, ...]]) -> list[StoredItem]:
    sealed = [body for _number, _version, _live, body in rows]
    row_ids = [encode_item_row_id(number) for number, _version, _live, _body in rows]
    bodies = get_item_cipher(s.ref).open_many(sealed, row_ids)
    items = []
    for (number, version, live, _sealed), body in zip(rows, bodies, strict=True):
        items.append(
            StoredItem(
                item_no=number,
                version=version,
                live=live,
                item=_decoder.decode(body),
            )
        )
    return items


def _to_view(s: Scope, row: tuple[Any, ...]) -> ItemView:
    number, version, live, body, created_at, updated_at, has_image = row
    item = _decoder.decode(get_item_cipher(s.ref).open(body, encode_item_row_id(number)))
    return ItemView(
        item=item,
        live=live,
        version=version,
        created_at=created_at,
        updated_at=updated_at,
        has_image=has_image,
    )
