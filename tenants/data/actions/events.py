"""Ingest: a batch of events becomes one encrypted chunk for each profile in it.

Acknowledged means committed: the caller's scope ends with a COMMIT under `synchronous_commit=on`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from psycopg import Cursor

from tenants.data.actions.event_batch import EventBatch, PreparedEvents, prepare_events
from tenants.data.actions.tenant_settings import register_event_kinds
from tenants.data.queries import tenant_state
from tenants.data.queries.consent import ConsentFilter, load_consent_filter
from tenants.data.types import EventInput, EventReceipt, SpaceState
from tenants.errors import TooLarge
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

MAX_EVENTS = 1_000
NEXT_SEQ = "SELECT nextval('data_timeline_seq')"
_DIGEST = """
INSERT INTO data_batchdigest (tenant_id, digest, rejected, at) VALUES (%s, %s, '', now()) ON CONFLICT DO NOTHING
"""
_REJECTED = "SELECT rejected FROM data_batchdigest WHERE tenant_id = %s AND digest = %s FOR UPDATE"
_STORE_REJECTED = "UPDATE data_batchdigest SET rejected = %s WHERE tenant_id = %s AND digest = %s"
_ANY_REFUSED = "SELECT EXISTS (SELECT FROM data_profile WHERE tenant_id = %s AND consent = 2)"
_ERASED = "SELECT mark, erased_at FROM data_tombstone WHERE tenant_id = %s AND mark = ANY(%b)"
_INSERT_CHUNKS = """
INSERT INTO data_timeline (tenant_id, profile_key, seq, first_at, last_at, count, body)
SELECT %s, k, q, to_timestamp(f / 1000.0), to_timestamp(l / 1000.0), c, b
FROM unnest(%b::bytea[], %b::int8[], %b::int8[], %b::int8[], %b::int4[], %b::bytea[]) AS t(k, q, f, l, c, b)
"""
INSERT_COUNTS = """
INSERT INTO data_counterdelta (tenant_id, id, day, metric, kind, scenario, count)
SELECT %s, nextval('data_counterdelta_id'), d::date, m, k, c, n
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int8[]) AS t(d, m, k, c, n)
"""
_TOUCH = """
UPDATE data_tenantstate SET last_event_at = now()
WHERE tenant_id = %s AND coalesce(last_event_at, '-infinity') < now() - interval '30 s'
"""


def record_events(s: Scope, events: Sequence[EventInput], *, source_no: int = 0) -> EventReceipt:
    """At most 1,000 events. Rows that can't be taken are returned with a reason; their neighbours are kept.

    A batch in which every event has a time or an id, sent again within 24 hours, has no second effect: only
    the rows that were rejected are tried again.
    Raises TooLarge, NotFound (space not open), KeyServiceUnavailable, StoreUnavailable.
    """
    if len(events) > MAX_EVENTS:
        raise TooLarge(f"A batch has at most {MAX_EVENTS} events; this one has {len(events)}.")
    batch = EventBatch(s, events, source_no=source_no, now=datetime.now(UTC))
    start = _begin_ingest(s, batch)
    if not start.is_new:
        batch.rows_to_retry = _load_rejected_rows(s, batch)
        if not batch.rows_to_retry:
            return EventReceipt(duplicates=len(events), batch_repeated=True)
    kinds = start.state.event_kinds
    if new := {event.kind for event in events} - kinds.keys():
        kinds = register_event_kinds(s, new)
    prepared = prepare_events(
        batch,
        start.state,
        kinds,
        consent=_load_consent_filter(s, batch, start),
        erased_at=_load_erasure_times(s, batch, start),
    )
    if prepared.count:
        _append_events(s, prepared, start.seq)
    if batch.digest and (prepared.rejected or batch.rows_to_retry):
        _store_rejected_rows(s, batch, [error.row for error in prepared.rejected])
    return EventReceipt(prepared.count, prepared.duplicates, rejected=prepared.rejected)


class _IngestStart(NamedTuple):
    """What ingest must know first; `seq` is the first of 1,024 sequence numbers."""

    state: SpaceState
    seq: int
    any_refused: bool
    is_new: bool


def _begin_ingest(s: Scope, batch: EventBatch) -> _IngestStart:
    """One round trip: the space, a block of sequence numbers, and whether this batch is new."""
    state, seq, refused, digest = (s.cursor() for _ in range(4))
    with state.connection.pipeline():
        state.execute(tenant_state.SELECT, (s.tenant_id,), prepare=True)
        seq.execute(NEXT_SEQ)
        refused.execute(_ANY_REFUSED, (s.tenant_id,), prepare=True)
        if batch.digest:
            digest.execute(_DIGEST, (s.tenant_id, batch.digest), prepare=True)
    fresh = not batch.digest or digest.rowcount == 1
    return _IngestStart(
        tenant_state.from_row(state.fetchone()), _fetch_value(seq), bool(_fetch_value(refused)), fresh
    )


def _load_rejected_rows(s: Scope, batch: EventBatch) -> frozenset[int]:
    """Rows of this batch that an earlier call could not take."""
    row = s.cursor(binary=True).execute(_REJECTED, (s.tenant_id, batch.digest)).fetchone()
    return frozenset(np.frombuffer(row[0], "<u2").tolist()) if row else frozenset()


def _store_rejected_rows(s: Scope, batch: EventBatch, rows: list[int]) -> None:
    s.cursor().execute(_STORE_REJECTED, (np.array(rows, "<u2").tobytes(), s.tenant_id, batch.digest))


def _fetch_value(cursor: Cursor[tuple[Any, ...]]) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None


def _load_consent_filter(s: Scope, batch: EventBatch, start: _IngestStart) -> ConsentFilter:
    privacy = start.state.privacy
    if privacy.basis == "notice" and not start.any_refused:
        # Saves a round trip for the usual tenant, in which no profile has refused.
        return ConsentFilter(opt_in=False, listed_keys=frozenset())
    return load_consent_filter(s, privacy, profile_keys=batch.keys)


def _load_erasure_times(s: Scope, batch: EventBatch, start: _IngestStart) -> dict[bytes, int]:
    """When each erased profile of the batch was erased, in milliseconds."""
    if not start.state.tombstones:
        return {}
    marks = {get_keyring(s.ref).derive_tombstone(key): key for key in batch.keys}
    found = s.cursor(binary=True).execute(_ERASED, (s.tenant_id, list(marks)))
    return {marks[bytes(mark)]: int(at.timestamp() * 1000) for mark, at in found}


def _append_events(s: Scope, prepared: PreparedEvents, seq: int) -> None:
    chunks = prepared.seal_chunks(s, seq)
    first, second, third = s.cursor(), s.cursor(), s.cursor()
    with first.connection.pipeline():
        first.execute(_INSERT_CHUNKS, (s.tenant_id, *chunks), prepare=True)
        second.execute(INSERT_COUNTS, (s.tenant_id, *prepared.count_by_day()), prepare=True)
        third.execute(_TOUCH, (s.tenant_id,), prepare=True)
