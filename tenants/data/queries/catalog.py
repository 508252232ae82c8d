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
_CHANGED = """
SELECT item_no, version, live, body FROM data_item
WHERE tenant_id = %s AND (version, item_no) > (%s, %s) ORDER BY version, item_no LIMIT %s
"""
_BY_NUMBER = "SELECT item_no, version, live, body FROM data_item WHERE tenant_id = %s AND item_no = ANY(%b)"
_COUNT = "SELECT count(*) FILTER (WHERE live), count(*) FROM data_item WHERE tenant_id = %s"
SEARCH_WINDOW = 2_000


def get_item_cipher(tenant: TenantRef) -> BoundCipher:
    return get_keyring(tenant).get_cipher(Purpose.CATALOGUE, table="item", column="body")


def encode_item_row_id(item_no: int) -> bytes:
    """The row that an item's body is bound to."""
    return _ROW_ID.pack(item_no)


def get_item(s: Scope, item_id: str) -> ItemView:
    """Raises NotFound; a foreign id is not found."""
    return _to_view(s, fetch_item_row(s, _GET, item_id))


def fetch_item_row(s: Scope, sql: str, item_id: str) -> tuple[Any, ...]:
    """The row of `sql` for (tenant, item key). Raises NotFound."""
    row = (
        s.cursor(binary=True)
        .execute(sql, (s.tenant_id, get_keyring(s.ref).derive_pseudonym("item", item_id)))
        .fetchone()
    )
    if row is None:
        raise NotFound("No item has this id.")
    return row


def get_item_no(s: Scope, item_id: str) -> int:
    """Raises NotFound."""
    number: int = fetch_item_row(
        s, "SELECT item_no FROM data_item WHERE tenant_id = %s AND item_key = %b", item_id
    )[0]
    return number


def list_items(
    s: Scope, *, after: int = 0, limit: int = 50, search: str = "", live_only: bool = True
) -> tuple[list[ItemView], int | None]:
    """Items by age and the number to go on after, or None at the end.

    Bodies are encrypted, so `search` opens at most 2,000 items a call and compares title, id, brand and
    categories without case; a page may then hold fewer than `limit` while more follow.
    """
    window = SEARCH_WINDOW if search else limit
    rows = s.cursor(binary=True).execute(_PAGE, (s.tenant_id, after, live_only, window + 1)).fetchall()
    more, rows = len(rows) > window, rows[:window]
    found: list[ItemView] = []
    for row in rows:
        view = _to_view(s, row)
        if not search or _is_match(view.item, search.casefold()):
            found.append(view)
        if len(found) == limit and row is not rows[-1]:
            return found, row[0]
    return found, rows[-1][0] if more else None


def _is_match(entry: ItemInput, needle: str) -> bool:
    texts = (entry.title, entry.id, entry.brand or "", *entry.categories)
    return any(needle in text.casefold() for text in texts)


def list_changed_items(s: Scope, version: int, *, after_no: int = 0, limit: int = 5_000) -> list[StoredItem]:
    """Items written after (version, item_no), by version; retired ones included. Call again from the last one."""
    return _open_items(
        s, s.cursor(binary=True).execute(_CHANGED, (s.tenant_id, version, after_no, limit)).fetchall()
    )


def load_items_by_number(s: Scope, numbers: Sequence[int]) -> dict[int, StoredItem]:
    """Those that exist among `numbers`, retired ones included."""
    rows = s.cursor(binary=True).execute(_BY_NUMBER, (s.tenant_id, list(numbers)), prepare=True).fetchall()
    return {stored.item_no: stored for stored in _open_items(s, rows)}


def count_items(s: Scope) -> tuple[int, int]:
    """Live items, and all items."""
    row = s.cursor().execute(_COUNT, (s.tenant_id,)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _open_items(s: Scope, rows: Sequence[tuple[Any, ...]]) -> list[StoredItem]:
    opened = get_item_cipher(s.ref).open_many(
        [row[3] for row in rows], [encode_item_row_id(row[0]) for row in rows]
    )
    return [StoredItem(r[0], r[1], r[2], _decoder.decode(body)) for r, body in zip(rows, opened, strict=True)]


def _to_view(s: Scope, row: tuple[Any, ...]) -> ItemView:
    number, version, live, body, created_at, updated_at, has_image = row
    entry = _decoder.decode(get_item_cipher(s.ref).open(body, encode_item_row_id(number)))
    return ItemView(entry, live, version, created_at, updated_at, has_image)
