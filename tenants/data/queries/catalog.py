from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.types import ItemInput, ItemView, StoredItem
from tenants.errors import NotFound
from tenants.keys.queries import keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_decode = msgspec.json.Decoder(ItemInput)
_row = struct.Struct(">q")
_ONE = """
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


def cipher(tenant: TenantRef) -> BoundCipher:
    return keyring(tenant).cipher(Purpose.CATALOGUE, table="item", column="body")


def row_id(item_no: int) -> bytes:
    """The row that an item's body is bound to."""
    return _row.pack(item_no)


def item(s: Scope, item_id: str) -> ItemView:
    """Raises NotFound; a foreign id is not found."""
    return _view(s, one_row(s, _ONE, item_id))


def one_row(s: Scope, sql: str, item_id: str) -> tuple[Any, ...]:
    """The row of `sql` for (tenant, item key). Raises NotFound."""
    row = (
        s.cursor(binary=True)
        .execute(sql, (s.tenant_id, keyring(s.ref).pseudonym("item", item_id)))
        .fetchone()
    )
    if row is None:
        raise NotFound("No item has this id.")
    return row


def item_no(s: Scope, item_id: str) -> int:
    """Raises NotFound."""
    number: int = one_row(s, "SELECT item_no FROM data_item WHERE tenant_id = %s AND item_key = %b", item_id)[
        0
    ]
    return number


def items_page(
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
        view = _view(s, row)
        if not search or _matches(view.item, search.casefold()):
            found.append(view)
        if len(found) == limit and row is not rows[-1]:
            return found, row[0]
    return found, rows[-1][0] if more else None


def _matches(entry: ItemInput, needle: str) -> bool:
    texts = (entry.title, entry.id, entry.brand or "", *entry.categories)
    return any(needle in text.casefold() for text in texts)


def changed_since(s: Scope, version: int, *, after_no: int = 0, limit: int = 5_000) -> list[StoredItem]:
    """Items written after (version, item_no), by version; retired ones included. Call again from the last one."""
    return _stored(
        s, s.cursor(binary=True).execute(_CHANGED, (s.tenant_id, version, after_no, limit)).fetchall()
    )


def items_by_number(s: Scope, numbers: Sequence[int]) -> dict[int, StoredItem]:
    """Those that exist among `numbers`, retired ones included."""
    rows = s.cursor(binary=True).execute(_BY_NUMBER, (s.tenant_id, list(numbers)), prepare=True).fetchall()
    return {stored.item_no: stored for stored in _stored(s, rows)}


def counts(s: Scope) -> tuple[int, int]:
    """Live items, and all items."""
    row = s.cursor().execute(_COUNT, (s.tenant_id,)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _stored(s: Scope, rows: Sequence[tuple[Any, ...]]) -> list[StoredItem]:
    opened = cipher(s.ref).open_many([row[3] for row in rows], [row_id(row[0]) for row in rows])
    return [StoredItem(r[0], r[1], r[2], _decode.decode(body)) for r, body in zip(rows, opened, strict=True)]


def _view(s: Scope, row: tuple[Any, ...]) -> ItemView:
    number, version, live, body, created_at, updated_at, has_image = row
    entry = _decode.decode(cipher(s.ref).open(body, row_id(number)))
    return ItemView(entry, live, version, created_at, updated_at, has_image)
