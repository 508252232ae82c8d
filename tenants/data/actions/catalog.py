from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tenants import audit
from tenants.data.queries import catalog
from tenants.data.types import ItemInput, RowError, UpsertResult
from tenants.errors import NotFound, TooLarge
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

MAX_ITEMS = 1_000
_LOCK = "SELECT catalogue_version, next_item_no FROM data_tenantstate WHERE tenant_id = %s FOR UPDATE"
_STORE_VERSION = "UPDATE data_tenantstate SET catalogue_version = %s, next_item_no = %s WHERE tenant_id = %s"
_EXISTING = """
SELECT item_key, item_no, fingerprint, live FROM data_item WHERE tenant_id = %s AND item_key = ANY(%b)
"""
_UPSERT = """
INSERT INTO data_item (tenant_id, item_no, item_key, live, version, fingerprint, body, created_at, updated_at)
SELECT %s, n, k, true, %s, f, b, now(), now() FROM unnest(%b::int4[], %b::bytea[], %b::bytea[], %b::bytea[]) AS t(n, k, f, b)
ON CONFLICT (tenant_id, item_no) DO UPDATE
SET live = true, version = excluded.version, fingerprint = excluded.fingerprint, body = excluded.body, updated_at = now()
"""
_TOUCH = "UPDATE data_item SET version = %s WHERE tenant_id = %s AND item_no = ANY(%b)"
_SET_LIVE = "UPDATE data_item SET live = %s, version = %s, updated_at = now() WHERE tenant_id = %s AND item_key = %b AND live <> %s"


class _ExistingItem(NamedTuple):
    item_no: int
    fingerprint: bytes
    live: bool


class _ItemRow(NamedTuple):
    item_no: int
    key: bytes
    fingerprint: bytes
    body: bytes


def upsert_items(s: Scope, items: Sequence[ItemInput]) -> UpsertResult:
    """At most 1,000 entries; each replaces what was stored under its id, and brings a retired item back.

    An id that stands twice in the batch is taken once, the later rows are rejected, and so is what breaks the limits of
    `ItemInput`. Raises TooLarge.
    """
    if len(items) > MAX_ITEMS:
        raise TooLarge(f"A batch has at most {MAX_ITEMS} items; this one has {len(items)}.")
    result, unique = _reject_invalid_items(s, items)
    version, next_no = _lock_catalogue(s)
    stored = s.cursor(binary=True).execute(_EXISTING, (s.tenant_id, list(unique)))
    known = {bytes(k): _ExistingItem(n, bytes(f), live) for k, n, f, live in stored}
    rows: list[_ItemRow] = []
    for key, entry in unique.items():
        body = msgspec.json.encode(entry)
        fingerprint = get_keyring(s.ref).compute_digest("item-body", body)
        old = known.get(key)
        if old and old.live and old.fingerprint == fingerprint:
            result.unchanged += 1
            continue
        result.created += old is None
        result.updated += old is not None
        rows.append(_ItemRow(old.item_no if old else next_no, key, fingerprint, body))
        next_no += old is None
    if rows:
        _write_items(s, rows, version=version + 1, next_no=next_no)
    return result


def _reject_invalid_items(
    s: Scope, items: Sequence[ItemInput]
) -> tuple[UpsertResult, dict[bytes, ItemInput]]:
    result, unique = UpsertResult(), dict[bytes, ItemInput]()
    keys = get_keyring(s.ref).derive_pseudonyms("item", [entry.id for entry in items])
    for row, (key, entry) in enumerate(zip(keys, items, strict=True)):
        if key in unique:
            detail = "This id stands earlier in the same batch; only the first was taken."
            result.rejected.append(RowError(row, f"/items/{row}/id", "repeated_id", detail))
        elif fault := _check_item(entry):
            result.rejected.append(RowError(row, f"/items/{row}", "invalid", fault))
        else:
            unique[key] = entry
    return result, unique


def _check_item(entry: ItemInput) -> str:
    """What could not be read back would break every reader of the catalogue; callers may build entries unchecked."""
    try:
        msgspec.json.decode(msgspec.json.encode(entry), type=ItemInput)
    except msgspec.ValidationError as error:
        return f"{error}."
    return ""


def _lock_catalogue(s: Scope) -> tuple[int, int]:
    row = s.cursor().execute(_LOCK, (s.tenant_id,)).fetchone()
    if row is None:
        raise NotFound("This tenant's space is not open in this region.")
    return row[0], row[1]


def _write_items(s: Scope, rows: list[_ItemRow], *, version: int, next_no: int) -> None:
    numbers = [row.item_no for row in rows]
    bodies = catalog.get_item_cipher(s.ref).seal_many(
        [row.body for row in rows], [catalog.encode_item_row_id(n) for n in numbers]
    )
    first, second = s.cursor(), s.cursor()
    with first.connection.pipeline():
        columns = (numbers, [row.key for row in rows], [row.fingerprint for row in rows], bodies)
        first.execute(_UPSERT, (s.tenant_id, version, *columns))
        second.execute(_STORE_VERSION, (version, next_no, s.tenant_id))
    audit.record_entry(s, "items.upsert", "catalogue", count=len(rows), version=version)


def touch_items(s: Scope, numbers: Sequence[int]) -> None:
    """Whoever follows the catalogue's versions reads these items again, with what came to be known of them."""
    version, next_no = _lock_catalogue(s)
    s.cursor().execute(_TOUCH, (version + 1, s.tenant_id, list(numbers)))
    s.cursor().execute(_STORE_VERSION, (version + 1, next_no, s.tenant_id))


def retire_item(s: Scope, item_id: str) -> None:
    """From the commit on the item can't be recommended. Again is no error. Raises NotFound."""
    _set_live(s, item_id, live=False)


def restore_item(s: Scope, item_id: str) -> None:
    """Undoes `retire_item`. Raises NotFound."""
    _set_live(s, item_id, live=True)


def _set_live(s: Scope, item_id: str, *, live: bool) -> None:
    version, next_no = _lock_catalogue(s)
    number = catalog.get_item_no(s, item_id)
    key = get_keyring(s.ref).derive_pseudonym("item", item_id)
    changed = s.cursor().execute(_SET_LIVE, (live, version + 1, s.tenant_id, key, live)).rowcount
    if changed:
        s.cursor().execute(_STORE_VERSION, (version + 1, next_no, s.tenant_id))
        audit.record_entry(s, "item.restore" if live else "item.retire", f"item-no:{number}")
