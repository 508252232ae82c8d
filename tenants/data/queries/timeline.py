"""Reading the timeline: one profile's tail to serve, everything by profile to train."""

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
from tenants.keys.queries import keyring
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

TAIL = """
SELECT seq, body FROM (
    SELECT seq, body, sum(count) OVER (ORDER BY seq DESC) - count AS newer FROM (
        SELECT seq, count, body FROM data_timeline
        WHERE tenant_id = %s AND profile_key = %b ORDER BY seq DESC LIMIT 64
    ) AS latest
) AS counted WHERE newer < %s ORDER BY seq
"""
SEEN = "SELECT body FROM data_seenitems WHERE tenant_id = %s AND profile_key = %b"
_SCAN = """
SELECT profile_key, seq, body FROM data_timeline
WHERE tenant_id = %s AND profile_key > %b ORDER BY profile_key, seq LIMIT %s
"""
_ONE = (
    "SELECT profile_key, seq, body FROM data_timeline WHERE tenant_id = %s AND profile_key = %b ORDER BY seq"
)
_RECENT = """
SELECT profile_key, seq, body FROM data_timeline
WHERE tenant_id = %s AND last_at >= %s AND (profile_key, seq) > (%b, %s) ORDER BY profile_key, seq LIMIT %s
"""
_TOTAL = "SELECT coalesce(sum(count), 0) FROM data_timeline WHERE tenant_id = %s"


Row = tuple[Any, ...]


class History(NamedTuple):
    """`events` are the newest of a profile, oldest first; `seen` are item numbers from before those, ascending."""

    events: Records
    seen: NDArray[np.uint32]


def cipher(tenant: TenantRef) -> BoundCipher:
    return keyring(tenant).cipher(Purpose.TIMELINE, table="timeline", column="body")


def seen_cipher(tenant: TenantRef) -> BoundCipher:
    return keyring(tenant).cipher(Purpose.TIMELINE, table="seenitems", column="body")


def history(s: Scope, profile_key: bytes, *, limit: int = records.CHUNK_EVENTS) -> History:
    """At least the newest `limit` events (all, when there are fewer), read from at most 64 chunks.

    A profile that was never seen has an empty history. Event ids that stand twice count once.
    """
    tail, seen = s.cursor(binary=True), s.cursor(binary=True)
    with tail.connection.pipeline():
        tail.execute(TAIL, (s.tenant_id, profile_key, limit), prepare=True)
        seen.execute(SEEN, (s.tenant_id, profile_key), prepare=True)
    return opened(s.ref, profile_key, tail.fetchall(), seen.fetchone())


def opened(
    tenant: TenantRef, profile_key: bytes, chunks: list[tuple[Any, ...]], seen: tuple[Any, ...] | None
) -> History:
    """The history in rows of `TAIL` and `SEEN`."""
    bodies = cipher(tenant).open_many(
        [c[1] for c in chunks], [records.row_id(profile_key, c[0]) for c in chunks]
    )
    events = records.without_repeats(records.in_time_order(records.join(bodies)))
    if seen is None:
        return History(events, np.empty(0, np.uint32))
    return History(events, np.frombuffer(seen_cipher(tenant).open(seen[0], profile_key), np.uint32))


def scan(tenant: TenantRef, *, actor: Actor, page: int = 20_000) -> Iterator[tuple[bytes, Records]]:
    """Every profile with its whole history, oldest first, by profile key.

    Each page is a transaction of its own, so a scan holds no snapshot and no lock; events that arrive meanwhile
    may or may not be in it. A profile is read by one statement: merging meanwhile neither hides nor doubles an event.
    Memory is bounded by `page` chunks and one profile's history.
    """
    after = b""
    while True:
        with scope(tenant, actor=actor) as s:
            rows = _page_of_profiles(s, after, page)
        if not rows:
            return
        after = bytes(rows[-1][0])
        bodies = cipher(tenant).open_many([r[2] for r in rows], [records.row_id(r[0], r[1]) for r in rows])
        for key, group in groupby(zip(rows, bodies, strict=True), key=_profile_of):
            yield bytes(key), _whole([body for _, body in group])


def recent(
    tenant: TenantRef, since: datetime, *, actor: Actor, page: int = 20_000
) -> Iterator[tuple[bytes, Records]]:
    """Chunks with an event from `since` on, by profile key; a profile's chunks follow each other.

    Earlier events of those chunks are in it, and an event that was sent twice stands twice. Transactions as in `scan`.
    """
    after: tuple[bytes, int] = (b"", 0)
    while True:
        with scope(tenant, actor=actor) as s:
            rows = s.cursor(binary=True).execute(_RECENT, (s.tenant_id, since, *after, page)).fetchall()
        bodies = cipher(tenant).open_many([r[2] for r in rows], [records.row_id(r[0], r[1]) for r in rows])
        for row, body in zip(rows, bodies, strict=True):
            yield bytes(row[0]), records.unpack(body)
        if len(rows) < page:
            return
        after = (bytes(rows[-1][0]), rows[-1][1])


def _page_of_profiles(s: Scope, after: bytes, page: int) -> list[Row]:
    """Chunks of whole profiles beyond `after`; the last one of a full page is left to the next, or read to its end."""
    rows = s.cursor(binary=True).execute(_SCAN, (s.tenant_id, after, page)).fetchall()
    if len(rows) < page:
        return rows
    whole = [row for row in rows if row[0] != rows[-1][0]]
    return whole or s.cursor(binary=True).execute(_ONE, (s.tenant_id, rows[-1][0])).fetchall()


def _profile_of(opened: tuple[Row, bytes]) -> bytes:
    key: bytes = opened[0][0]
    return key


def _whole(bodies: list[bytes]) -> Records:
    return records.without_repeats(records.in_time_order(records.join(bodies)))


def total(s: Scope) -> int:
    """Stored events; repeats that were not merged yet count."""
    row = s.cursor().execute(_TOTAL, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0
