"""Queries on timelines: the newest events of a profile for serving, all events by profile for training."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data import records
from tenants.data.records import Records
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

# Parameters: tenant, profile key, number of events. Returns the newest chunks until they hold that many events; `newer` is
# the number of events in newer chunks.
TAIL = """
SELECT seq, body FROM (
    SELECT seq, body, sum(count) OVER (ORDER BY seq DESC) - count AS newer FROM (
        SELECT seq, count, body FROM data_timeline
        WHERE tenant_id = %(tenant)s AND profile_key = %(key)b ORDER BY seq DESC LIMIT 64
    ) AS latest
) AS counted WHERE newer < %(limit)s ORDER BY seq
"""
SEEN = "SELECT body FROM data_seenitems WHERE tenant_id = %(tenant)s AND profile_key = %(key)b"
_SCAN = """
SELECT profile_key, seq, body FROM data_timeline
WHERE tenant_id = %s AND profile_key > %b ORDER BY profile_key, seq LIMIT %s
"""
_BY_PROFILE = (
    "SELECT profile_key, seq, body FROM data_timeline WHERE tenant_id = %s AND profile_key = %b ORDER BY seq"
)
_RECENT = """
SELECT profile_key, seq, body FROM data_timeline
WHERE tenant_id = %s AND last_at >= %s AND (profile_key, seq) > (%b, %s) ORDER BY profile_key, seq LIMIT %s
"""
_TOTAL = "SELECT coalesce(sum(count), 0) FROM data_timeline WHERE tenant_id = %s"


ChunkRow = tuple[Any, ...]


class ProfileHistory(NamedTuple):
    """The newest events of a profile, oldest first, and the numbers of items seen earlier, ascending."""

    events: Records
    seen: NDArray[np.uint32]


def get_timeline_cipher(tenant: TenantRef) -> BoundCipher:
    """Returns the cipher of timeline chunks."""
    return get_keyring(tenant).get_cipher(Purpose.TIMELINE, table="timeline", column="body")


def get_seen_items_cipher(tenant: TenantRef) -> BoundCipher:
    """Returns the cipher of sets of seen items."""
    return get_keyring(tenant).get_cipher(Purpose.TIMELINE, table="seenitems", column="body")


def load_history(s: Scope, profile_key: bytes, *, limit: int = records.CHUNK_EVENTS) -> ProfileHistory:
    """Returns at least the newest `limit` events (all if there are fewer), from at most 64 chunks.

    An unknown profile has an empty history. Of events with the same id the first is returned.
    """
    tail, seen = s.cursor(binary=True), s.cursor(binary=True)
    with tail.connection.pipeline():
        tail.execute(TAIL, {"tenant": s.tenant_id, "key": profile_key, "limit": limit}, prepare=True)
        seen.execute(SEEN, {"tenant": s.tenant_id, "key": profile_key}, prepare=True)
    return open_history(s.ref, profile_key, tail.fetchall(), seen.fetchone())


def open_history(
    tenant: TenantRef,
    profile_key: bytes,
    chunks: list[tuple[Any, ...]],
    seen: tuple[Any, ...] | None,
) -> ProfileHistory:
    """Opens rows of TAIL (seq, body) and SEEN (body, or None without a row)."""
    row_ids = [records.encode_chunk_row_id(profile_key, seq) for seq, _body in chunks]
    bodies = get_timeline_cipher(tenant).open_many([body for _seq, body in chunks], row_ids)
    events = _join_chunks(bodies)
    if seen is None:
        return ProfileHistory(events, np.empty(0, np.uint32))
    seen_items = get_seen_items_cipher(tenant).open(seen[0], profile_key)
    return ProfileHistory(events, np.frombuffer(seen_items, np.uint32))


def scan_histories(
    tenant: TenantRef, *, actor: Actor, page_size: int = 20_000
) -> Iterator[tuple[bytes, Records]]:
    """Yields (profile key, all its events, oldest first), ordered by key.

    Each page has its own transaction, so the scan holds no snapshot and no locks; events written during the scan may be
    missing. The chunks of a profile are read by one statement, so a concurrent merge neither hides nor duplicates
    events. Memory is bounded by `page_size` chunks and one profile's history.
    """
    after = b""
    while True:
        with scope(tenant, actor=actor) as s:
            rows = _fetch_profile_rows(s, after, page_size)
        if not rows:
            return
        after = bytes(rows[-1][0])
        opened_chunks = zip(rows, _open_chunks(tenant, rows), strict=True)
        for key, group in groupby(opened_chunks, key=_get_profile_key):
            yield bytes(key), _join_chunks([body for _row, body in group])


def scan_recent_chunks(
    tenant: TenantRef,
    since: datetime,
    *,
    actor: Actor,
    page_size: int = 20_000,
) -> Iterator[tuple[bytes, Records]]:
    """Yields (profile key, events) of chunks whose last event is not before `since`, ordered by profile.

    The events include earlier ones of those chunks and repeated ones. Transactions are as in `scan_histories`.
    """
    after: tuple[bytes, int] = (b"", 0)
    while True:
        with scope(tenant, actor=actor) as s:
            rows = s.cursor(binary=True).execute(_RECENT, (s.tenant_id, since, *after, page_size)).fetchall()
        for row, body in zip(rows, _open_chunks(tenant, rows), strict=True):
            yield bytes(row[0]), records.unpack_records(body)
        if len(rows) < page_size:
            return
        after = (bytes(rows[-1][0]), rows[-1][1])


def _fetch_profile_rows(s: Scope, after: bytes, page_size: int) -> list[ChunkRow]:
    """Returns all chunks of the next profiles after the key `after`; no profile is returned in part."""
    rows = s.cursor(binary=True).execute(_SCAN, (s.tenant_id, after, page_size)).fetchall()
    if len(rows) < page_size:
        return rows
    # A full page may end within a profile: the last profile is left to the next page, or read whole if it is alone.
    last_key = rows[-1][0]
    complete_rows = [row for row in rows if row[0] != last_key]
    if complete_rows:
        return complete_rows
    return s.cursor(binary=True).execute(_BY_PROFILE, (s.tenant_id, last_key)).fetchall()


def _open_chunks(tenant: TenantRef, rows: list[ChunkRow]) -> list[bytes]:
    """Opens the bodies of rows of (profile key, seq, body)."""
    row_ids = [records.encode_chunk_row_id(key, seq) for key, seq, _body in rows]
    return get_timeline_cipher(tenant).open_many([body for _key, _seq, body in rows], row_ids)


def _get_profile_key(chunk: tuple[ChunkRow, bytes]) -> bytes:
    key: bytes = chunk[0][0]
    return key


def _join_chunks(bodies: list[bytes]) -> Records:
    return records.drop_repeats(records.sort_by_time(records.join_records(bodies)))


def count_events(s: Scope) -> int:
    """Returns the number of stored events, including repeated ones that are not merged yet."""
    row = s.cursor().execute(_TOTAL, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0
