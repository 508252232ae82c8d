"""Ingest: a batch of events becomes one encrypted chunk for each profile in it.

Acknowledged means committed: the caller's scope ends with a COMMIT under `synchronous_commit=on`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tenants.data.actions.event_batch import Batch, Prepared, prepare
from tenants.data.actions.space import register_kinds
from tenants.data.queries import space
from tenants.data.types import EventInput, EventReceipt, SpaceState
from tenants.errors import NotFound, TooLarge
from tenants.keys.queries import keyring
from tenants.scope import Scope

MAX_EVENTS = 1_000
SEQS = "SELECT nextval('data_timeline_seq')"
_DIGEST = "INSERT INTO data_batchdigest (tenant_id, digest, at) VALUES (%s, %s, now()) ON CONFLICT DO NOTHING"
_CONSENT = "SELECT profile_key FROM data_profile WHERE tenant_id = %s AND consent = %s AND profile_key = ANY(%b)"
_ERASED = "SELECT mark, erased_at FROM data_tombstone WHERE tenant_id = %s AND mark = ANY(%b)"
_CHUNKS = """
INSERT INTO data_timeline (tenant_id, profile_key, seq, first_at, last_at, count, body)
SELECT %s, k, q, to_timestamp(f / 1000.0), to_timestamp(l / 1000.0), c, b
FROM unnest(%b::bytea[], %b::int8[], %b::int8[], %b::int8[], %b::int4[], %b::bytea[]) AS t(k, q, f, l, c, b)
"""
COUNTS = """
INSERT INTO data_counterdelta (tenant_id, id, day, metric, kind, scenario, count)
SELECT %s, nextval('data_counterdelta_id'), d::date, m, k, c, n
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int8[]) AS t(d, m, k, c, n)
"""
_TOUCH = "UPDATE data_tenantstate SET last_event_at = now() WHERE tenant_id = %s AND (last_event_at IS NULL OR last_event_at < now() - interval '30 seconds')"


def record_events(s: Scope, events: Sequence[EventInput], *, source_no: int = 0) -> EventReceipt:
    """At most 1,000 events. Rows that can't be taken are returned with a reason; their neighbours are kept.

    A batch in which every event has a time or an id, sent again within 24 hours, has no second effect.
    Raises TooLarge, NotFound (space not open), KeyServiceUnavailable, StoreUnavailable.
    """
    if len(events) > MAX_EVENTS:
        raise TooLarge(f"A batch has at most {MAX_EVENTS} events; this one has {len(events)}.")
    batch = Batch(s, events, source_no=source_no, now=datetime.now(UTC))
    state, seq, fresh = _begin(s, batch)
    if not fresh:
        return EventReceipt(duplicates=len(events), batch_repeated=True)
    kinds = state.event_kinds
    if new := {event.kind for event in events} - kinds.keys():
        kinds = register_kinds(s, new)
    prepared = prepare(batch, state, kinds, **_standing(s, batch, state))
    if prepared.count:
        _append(s, prepared, seq)
    return EventReceipt(prepared.count, prepared.duplicates, rejected=prepared.rejected)


def _begin(s: Scope, batch: Batch) -> tuple[SpaceState, int, bool]:
    """One round trip: the space, a block of sequence numbers, and whether this batch is new."""
    cursors = [s.cursor() for _ in range(3)]
    with cursors[0].connection.pipeline():
        cursors[0].execute(space.SELECT, (s.tenant_id,))
        cursors[1].execute(SEQS)
        if batch.digest:
            cursors[2].execute(_DIGEST, (s.tenant_id, batch.digest))
    first = cursors[1].fetchone()
    if first is None:
        raise NotFound
    return space.from_row(cursors[0].fetchone()), first[0], not batch.digest or cursors[2].rowcount == 1


def _standing(s: Scope, batch: Batch, state: SpaceState) -> dict[str, Any]:
    """Who consented (opt-in) or refused (notice) among the batch's profiles, and who was erased when."""
    consent = 1 if state.privacy.basis == "opt_in" else 2
    rows = s.cursor().execute(_CONSENT, (s.tenant_id, consent, batch.keys)).fetchall()
    erased: dict[bytes, int] = {}
    if state.tombstones:
        marks = {keyring(s.ref).tombstone(key): key for key in batch.keys}
        found = s.cursor().execute(_ERASED, (s.tenant_id, list(marks)))
        erased = {marks[bytes(mark)]: int(at.timestamp() * 1000) for mark, at in found}
    return {"standing": {bytes(row[0]) for row in rows}, "erased": erased}


def _append(s: Scope, prepared: Prepared, seq: int) -> None:
    chunks = prepared.chunks(s, seq)
    first, second, third = s.cursor(), s.cursor(), s.cursor()
    with first.connection.pipeline():
        first.execute(_CHUNKS, (s.tenant_id, *chunks))
        second.execute(COUNTS, (s.tenant_id, *prepared.counts()))
        third.execute(_TOUCH, (s.tenant_id,))

