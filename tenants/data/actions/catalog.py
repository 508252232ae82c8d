"""Changes of the catalogue. Every change increments the catalogue version, which readers follow."""

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
# The row lock serializes catalogue writers, so versions are committed in the order of their numbers.
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
    """Inserts or replaces up to 1,000 items by id; a retired item becomes live again.

    Rejected are rows that repeat an id of the batch and rows outside the limits of `ItemInput`. Raises TooLarge.
    """
    if len(items) > MAX_ITEMS:
        raise TooLarge(f"A batch has at most {MAX_ITEMS} items; this one has {len(items)}.")
    result, unique = _reject_invalid_items(s, items)
    version, next_no = _lock_catalogue(s)
    existing = _load_existing_items(s, list(unique))
    rows: list[_ItemRow] = []
    for key, item in unique.items():
        body = msgspec.json.encode(item)
        fingerprint = get_keyring(s.ref).compute_digest("item-body", body)
        stored = existing.get(key)
        if stored is None:
            rows.append(_ItemRow(next_no, key, fingerprint, body))
            next_no += 1
            result.created += 1
        elif stored.live and stored.fingerprint == fingerprint:
            result.unchanged += 1
        else:
            rows.append(_ItemRow(stored.item_no, key, fingerprint, body))
            result.updated += 1
    if rows:
        _write_items(s, rows, version=version + 1, next_no=next_no)
    return result


def _load_existing_items(s: Scope, keys: list[bytes]) -> dict[bytes, _ExistingItem]:
    existing = {}
    for key, item_no, fingerprint, live in s.cursor(binary=True).execute(_EXISTING, (s.tenant_id, keys)):
        existing[bytes(key)] = _ExistingItem(item_no, bytes(fingerprint), live)
    return existing


def _reject_invalid_items(
    s: Scope, items: Sequence[ItemInput]
) -> tuple[UpsertResult, dict[bytes, ItemInput]]:
    result, unique = UpsertResult(), dict[bytes, ItemInput]()
    keys = get_keyring(s.ref).derive_pseudonyms("item", [item.id for item in items])
    for row, (key, item) in enumerate(zip(keys, items, strict=True)):
        problem = _check_item(item)
        if key in unique:
            detail = "This id occurs earlier in the same batch; only the first row was accepted."
            result.rejected.append(RowError(row, f"/items/{row}/id", "repeated_id", detail))
        elif problem:
            result.rejected.append(RowError(row, f"/items/{row}", "invalid", problem))
        else:
            unique[key] = item
    return result, unique


def _check_item(item: ItemInput) -> str:
    """Returns why the item can't be read back, or "".

    msgspec checks the limits of a struct when it decodes, not when a caller constructs it; an item that can't be decoded
    would break all readers of the catalogue.
    """
    try:
        msgspec.json.decode(msgspec.json.encode(item), type=ItemInput)
    except msgspec.ValidationError as error:
        return f"{error}."
    return ""


def _lock_catalogue(s: Scope) -> tuple[int, int]:
    """Locks the catalogue until the transaction ends. Returns its version and the next item number."""
    row = s.cursor().execute(_LOCK, (s.tenant_id,)).fetchone()
    if row is None:
        raise NotFound("This tenant's space is not open in this region.")
    return row[0], row[1]


def _write_items(
    s: Scope,
    rows: list[_ItemRow],
    *,
    version: int,
    next_no: int,
) -> None:
    numbers = [row.item_no for row in rows]
    keys = [row.key for row in rows]
    fingerprints = [row.fingerprint for row in rows]
    row_ids = [catalog.encode_item_row_id(number) for number in numbers]
    sealed = catalog.get_item_cipher(s.ref).seal_many([row.body for row in rows], row_ids)
    item_cursor, version_cursor = s.cursor(), s.cursor()
    with item_cursor.connection.pipeline():
        item_cursor.execute(_UPSERT, (s.tenant_id, version, numbers, keys, fingerprints, sealed))
        version_cursor.execute(_STORE_VERSION, (version, next_no, s.tenant_id))
    audit.record_entry(
        s,
        "items.upsert",
        "catalogue",
        count=len(rows),
        version=version,
    )


def touch_items(s: Scope, numbers: Sequence[int]) -> None:
    """Assigns a new version to the items, so that readers of changed items read them and their embeddings again."""
    version, next_no = _lock_catalogue(s)
    s.cursor().execute(_TOUCH, (version + 1, s.tenant_id, list(numbers)))
    s.cursor().execute(_STORE_VERSION, (version + 1, next_no, s.tenant_id))


def retire_item(s: Scope, item_id: str) -> None:
    """Excludes the item from recommendations from the commit on. Idempotent. Raises NotFound."""
    _set_live(s, item_id, live=False)


def restore_item(s: Scope, item_id: str) -> None:
    """Makes a retired item live again. Idempotent. Raises NotFound."""
    _set_live(s, item_id, live=True)


def _set_live(s: Scope, item_id: str, *, live: bool) -> None:
    version, next_no = _lock_catalogue(s)
    number = catalog.get_item_no(s, item_id)
    key = get_keyring(s.ref).derive_pseudonym("item", item_id)
    changed = s.cursor().execute(_SET_LIVE, (live, version + 1, s.tenant_id, key, live)).rowcount
    if changed:
        s.cursor().execute(_STORE_VERSION, (version + 1, next_no, s.tenant_id))
        verb = "item.restore" if live else "item.retire"
        audit.record_entry(s, verb, f"item-no:{number}")
