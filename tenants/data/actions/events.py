"""Ingest of events: a batch becomes one encrypted chunk per profile.

When the caller's scope has ended, the events of a returned EventReceipt are on disk: the transaction commits with
`synchronous_commit=on`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from psycopg import Cursor

from tenants.data.actions.chunks import INSERT_CHUNKS
from tenants.data.actions.counters import INSERT_COUNTS
from tenants.data.actions.event_batch import EventBatch, prepare_events
from tenants.data.actions.prepared_events import PreparedEvents
from tenants.data.actions.tenant_settings import register_event_kinds
from tenants.data.queries import tenant_state
from tenants.data.queries.consent import ConsentFilter, load_consent_filter
from tenants.data.types import EventInput, EventReceipt, SpaceState
from tenants.errors import TooLarge
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

MAX_EVENTS = 1_000
# The sequence advances by 1,024 per call, so a call can number all its chunks without another round trip.
NEXT_SEQ = "SELECT nextval('data_timeline_seq')"
_DIGEST = """
INSERT INTO data_batchdigest (tenant_id, digest, rejected, at) VALUES (%s, %s, '', now()) ON CONFLICT DO NOTHING
"""
# `rejected` is an array of little-endian uint16 row numbers.
_REJECTED = "SELECT rejected FROM data_batchdigest WHERE tenant_id = %s AND digest = %s FOR UPDATE"
_STORE_REJECTED = "UPDATE data_batchdigest SET rejected = %s WHERE tenant_id = %s AND digest = %s"
# A literal, so that the partial index on refused profiles is used. 2 is Consent.REFUSED.
_ANY_REFUSED = "SELECT EXISTS (SELECT FROM data_profile WHERE tenant_id = %s AND consent = 2)"
_ERASED = "SELECT mark, erased_at FROM data_tombstone WHERE tenant_id = %s AND mark = ANY(%b)"
# At most every 30 s, because concurrent calls would wait for the row lock.
_TOUCH = """
UPDATE data_tenantstate SET last_event_at = now()
WHERE tenant_id = %s AND coalesce(last_event_at, '-infinity') < now() - interval '30 s'
"""


def record_events(s: Scope, events: Sequence[EventInput], *, source_no: int = 0) -> EventReceipt:
    """Stores up to 1,000 events. Rejected rows are returned with a reason; the other rows are stored.

    A batch in which every event has a time or an id is recognised when it is sent again within 24 hours: only the rows
    that were rejected before are processed.

    Raises:
        TooLarge: More than 1,000 events.
        NotFound: The tenant's space is not open in this region.
        KeyServiceUnavailable, StoreUnavailable: Nothing was stored.
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
    new_kinds = {event.kind for event in events} - kinds.keys()
    if new_kinds:
        kinds = register_event_kinds(s, new_kinds)
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
    """What ingest reads first. `seq` is the first of 1,024 sequence numbers."""

    state: SpaceState
    seq: int
    any_refused: bool
    is_new: bool


def _begin_ingest(s: Scope, batch: EventBatch) -> _IngestStart:
    """Reads the settings, reserves sequence numbers and registers the batch, in one round trip."""
    state, seq, refused, digest = s.cursor(), s.cursor(), s.cursor(), s.cursor()
    with state.connection.pipeline():
        state.execute(tenant_state.SELECT, (s.tenant_id,), prepare=True)
        seq.execute(NEXT_SEQ)
        refused.execute(_ANY_REFUSED, (s.tenant_id,), prepare=True)
        if batch.digest:
            digest.execute(_DIGEST, (s.tenant_id, batch.digest), prepare=True)
    return _IngestStart(
        state=tenant_state.from_row(state.fetchone()),
        seq=_fetch_value(seq),
        any_refused=bool(_fetch_value(refused)),
        is_new=not batch.digest or digest.rowcount == 1,
    )


def _load_rejected_rows(s: Scope, batch: EventBatch) -> frozenset[int]:
    """Returns the rows of this batch that an earlier call rejected."""
    row = s.cursor(binary=True).execute(_REJECTED, (s.tenant_id, batch.digest)).fetchone()
    if row is None:
        return frozenset()
    return frozenset(np.frombuffer(row[0], "<u2").tolist())


def _store_rejected_rows(s: Scope, batch: EventBatch, rows: list[int]) -> None:
    rejected = np.array(rows, "<u2").tobytes()
    s.cursor().execute(_STORE_REJECTED, (rejected, s.tenant_id, batch.digest))


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
    """Returns erased profile keys of the batch -> time of their erasure in Unix milliseconds."""
    if not start.state.tombstones:
        return {}
    keyring = get_keyring(s.ref)
    keys_by_tombstone = {keyring.derive_tombstone(key): key for key in batch.keys}
    rows = s.cursor(binary=True).execute(_ERASED, (s.tenant_id, list(keys_by_tombstone)))
    erasure_times = {}
    for tombstone, erased_at in rows:
        erasure_times[keys_by_tombstone[bytes(tombstone)]] = int(erased_at.timestamp() * 1000)
    return erasure_times


def _append_events(s: Scope, prepared: PreparedEvents, seq: int) -> None:
    chunks = prepared.seal_chunks(s, seq)
    counts = prepared.count_by_day()
    chunk_cursor, count_cursor, state_cursor = s.cursor(), s.cursor(), s.cursor()
    with chunk_cursor.connection.pipeline():
        chunk_cursor.execute(INSERT_CHUNKS, chunks.to_parameters(s.tenant_id), prepare=True)
        count_cursor.execute(INSERT_COUNTS, counts.to_parameters(s.tenant_id), prepare=True)
        state_cursor.execute(_TOUCH, (s.tenant_id,), prepare=True)
