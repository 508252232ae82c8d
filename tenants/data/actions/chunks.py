"""Rewriting chunks: what merging and retention have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenants.data import records
from tenants.data.queries import timeline
from tenants.data.records import CHUNK_EVENTS, Records
from tenants.data.types import EventKind, SpaceState
from tenants.errors import Conflict
from tenants.scope import Scope

_DELETE = "DELETE FROM data_timeline WHERE tenant_id = %s AND profile_key = %b AND seq = ANY(%b)"
_INSERT = """
INSERT INTO data_timeline (tenant_id, profile_key, seq, first_at, last_at, count, body)
SELECT %s, %b, q, to_timestamp(f / 1000.0), to_timestamp(l / 1000.0), c, b
FROM unnest(%b::int8[], %b::int8[], %b::int8[], %b::int4[], %b::bytea[]) AS t(q, f, l, c, b)
"""
_SEEN = """
INSERT INTO data_seenitems (tenant_id, profile_key, body) VALUES (%s, %b, %s)
ON CONFLICT (tenant_id, profile_key) DO UPDATE SET body = excluded.body
"""


def read(s: Scope, profile_key: bytes, rows: list[tuple[Any, ...]]) -> Records:
    """The events of rows of (seq, count, body), oldest first, repeats included.

    Raises Conflict when a chunk holds another number of events than its row says.
    """
    bodies = timeline.cipher(s.ref).open_many(
        [row[2] for row in rows], [records.row_id(profile_key, row[0]) for row in rows]
    )
    everything = records.in_time_order(records.join(bodies))
    if everything.size != sum(row[1] for row in rows):
        raise Conflict("A chunk holds another number of events than its row says.")
    return everything


def replace(s: Scope, profile_key: bytes, seqs: list[int], kept: Records) -> None:
    """Writes `kept` in place of exactly the chunks `seqs` (ascending). Full chunks first; the newest numbers are used
    again, so that later chunks stay behind them.

    Raises Conflict, and the transaction must end, when one of those chunks is gone.
    """
    deleted = s.cursor().execute(_DELETE, (s.tenant_id, profile_key, seqs)).rowcount
    if deleted != len(seqs):
        raise Conflict("These chunks changed while they were rewritten.")
    parts = [kept[start : start + CHUNK_EVENTS] for start in range(0, kept.size, CHUNK_EVENTS)]
    numbers = seqs[len(seqs) - len(parts) :]
    sealed = timeline.cipher(s.ref).seal_many(
        [part.tobytes() for part in parts], [records.row_id(profile_key, seq) for seq in numbers]
    )
    first = [int(part["at"][0]) for part in parts]
    last = [int(part["at"][-1]) for part in parts]
    sizes = [int(part.size) for part in parts]
    s.cursor().execute(_INSERT, (s.tenant_id, profile_key, numbers, first, last, sizes, sealed))


def earliest_ms(state: SpaceState) -> int:
    """Unix milliseconds; what happened before is older than the tenant keeps."""
    kept_for = timedelta(days=state.privacy.events_kept_for_days)
    return int((datetime.now(UTC) - kept_for).timestamp() * 1000)


def met(events: Records, kinds: Iterable[EventKind]) -> NDArray[np.uint32]:
    """Items that were chosen or disliked, ascending; what was only shown may be shown again."""
    ignored = [kind.number for kind in kinds if kind.weight == 0]
    found: NDArray[np.uint32] = np.unique(events["item"][~np.isin(events["kind"], ignored)])
    return found


def write_seen(s: Scope, profile_key: bytes, items: NDArray[np.uint32]) -> None:
    """Replaces the set of seen items; ascending numbers."""
    sealed = timeline.seen_cipher(s.ref).seal(items.astype(np.uint32).tobytes(), profile_key)
    s.cursor().execute(_SEEN, (s.tenant_id, profile_key, sealed))
