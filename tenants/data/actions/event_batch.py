"""The arithmetic of one ingest call: who, which item, which record, grouped by profile and sealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import nan

import msgspec
import numpy as np

from tenants.crypto import Purpose
from tenants.data.queries.consent import ConsentFilter
from tenants.data.queries.item_numbers import find_item_numbers
from tenants.data.records import CHUNK_EVENTS, RECORD_DTYPE, VERSION, Records, encode_chunk_row_id
from tenants.data.types import EventInput, EventKind, EventReceipt, RowError, SpaceState
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

FUTURE_TOLERANCE_MS = 10 * 60 * 1000
DAY_MS = 86_400_000
FLAG_SESSION = 1
ChunkColumns = tuple[list[bytes], list[int], list[int], list[int], list[int], list[bytes]]
CountColumns = tuple[list[str], list[str], list[str], list[str], list[int]]


class EventBatch:
    """`keys` are the distinct profile keys; `who[i]` is the index of event i's key, -1 where it names nobody.

    When `only` is not empty, the other rows were taken by an earlier call.
    """

    def __init__(self, s: Scope, events: Sequence[EventInput], *, source_no: int, now: datetime) -> None:
        ring = get_keyring(s.ref)
        self.scope, self.events, self.source_no = s, events, source_no
        self.rows_to_retry: frozenset[int] = frozenset()
        self.now_ms = int(now.timestamp() * 1000)
        index: dict[tuple[str, str], int] = {}
        self.profile_index = [self._index_profile(event, index) for event in events]
        uids = [name for kind, name in index if kind == "uid"]
        sids = [name for kind, name in index if kind == "sid"]
        hashed = {("uid", n): k for n, k in zip(uids, ring.derive_pseudonyms("uid", uids), strict=True)}
        hashed |= {("sid", n): k for n, k in zip(sids, ring.derive_pseudonyms("sid", sids), strict=True)}
        self.keys = [hashed[name] for name in index]
        self.is_session = [kind == "sid" for kind, _ in index]
        self.digest = self._compute_digest()
        self.event_hashes = _hash_ids(s, "event", [event.id for event in events])
        self.recommendation_hashes = _hash_ids(
            s, "recommendation", [event.recommendation_id for event in events]
        )

    @staticmethod
    def _index_profile(event: EventInput, index: dict[tuple[str, str], int]) -> int:
        if event.profile_id is not None:
            return index.setdefault(("uid", event.profile_id), len(index))
        if event.session_id is not None:
            return index.setdefault(("sid", event.session_id), len(index))
        return -1

    def _compute_digest(self) -> bytes:
        """Empty unless every event has a time or an id: two equal anonymous batches may both be meant."""
        if not self.events or any(event.at is None and event.id is None for event in self.events):
            return b""
        body = msgspec.json.encode([self.source_no, self.events])
        digest: bytes = get_keyring(self.scope.ref).compute_digest("batch", body)
        return digest


def _hash_ids(s: Scope, kind: str, ids: list[str | None]) -> list[int]:
    """64-bit keyed hashes, 0 where there is no id."""
    if not any(ids):
        return [0] * len(ids)
    given = [one for one in ids if one]
    hashed = iter(get_keyring(s.ref).derive_pseudonyms(kind, given))
    return [int.from_bytes(next(hashed)[:8], "little") or 1 if one else 0 for one in ids]


@dataclass
class PreparedEvents:
    """Valid records with their profiles (`who`, indices into `keys`), in the order received."""

    keys: list[bytes]
    records: Records
    profile_index: np.ndarray[tuple[int], np.dtype[np.int64]]
    kind_names: dict[int, str]
    scenarios: list[str]
    attributed: list[bool]
    rejected: list[RowError] = field(default_factory=list)
    duplicates: int = 0

    @property
    def count(self) -> int:
        return int(self.records.size)

    def seal_chunks(self, s: Scope, seq: int) -> ChunkColumns:
        """Columns of the rows to insert, one or two a profile: key, seq, first and last (ms), count, sealed body."""
        order = np.lexsort((self.records["at"], self.profile_index))
        records, who = self.records[order], self.profile_index[order]
        starts = _find_chunk_starts(who)
        ends = np.r_[starts[1:], who.size]
        keys = [self.keys[one] for one in who[starts].tolist()]
        seqs = list(range(seq, seq + len(keys)))
        width, body = RECORD_DTYPE.itemsize, records.tobytes()
        plain = [body[a * width : b * width] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        cipher = get_keyring(s.ref).get_cipher(Purpose.TIMELINE, table="timeline", column="body")
        sealed = cipher.seal_many(plain, [encode_chunk_row_id(k, q) for k, q in zip(keys, seqs, strict=True)])
        at = records["at"]
        return keys, seqs, at[starts].tolist(), at[ends - 1].tolist(), (ends - starts).tolist(), sealed

    def count_by_day(self) -> CountColumns:
        """Columns of counter deltas: day, metric, kind, scenario, count."""
        days = (self.records["at"] // DAY_MS).tolist()
        kinds = self.records["kind"].tolist()
        totals: Counter[tuple[int, str, int, str]] = Counter()
        for (day, kind, scenario), count in Counter(zip(days, kinds, self.scenarios, strict=True)).items():
            totals[day, "events", kind, scenario] += count
        if any(self.attributed):
            for day, kind, scenario, mine in zip(days, kinds, self.scenarios, self.attributed, strict=True):
                totals[day, "attributed", kind, scenario] += mine
        rows = [(_format_day(d), m, self.kind_names[k], c, n) for (d, m, k, c), n in totals.items() if n]
        days_, metrics, names, scenarios, counts = zip(*rows, strict=True)
        return list(days_), list(metrics), list(names), list(scenarios), list(counts)


def _find_chunk_starts(
    profile_index: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where chunks begin in events sorted by profile. None is as long as a settled one, so each is merged some day."""
    place = np.arange(profile_index.size)
    is_first = np.r_[True, profile_index[1:] != profile_index[:-1]]
    first = np.maximum.accumulate(np.where(is_first, place, 0))
    return np.flatnonzero((place - first) % (CHUNK_EVENTS - 1) == 0)


def _format_day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()


def prepare_events(
    batch: EventBatch,
    state: SpaceState,
    kinds: dict[str, EventKind],
    *,
    consent: ConsentFilter,
    erased_at: dict[bytes, int],
) -> PreparedEvents:
    """Rejects what can't be taken, drops repeats within the batch, and packs the rest."""
    items = find_item_numbers(batch.scope, (event.item_id for event in batch.events))
    judge = _EventValidator(batch, state, items, consent, erased_at)
    seen: set[tuple[int, int]] = set()
    receipt, rows = EventReceipt(), []
    for row, event in enumerate(batch.events):
        if batch.rows_to_retry and row not in batch.rows_to_retry:
            receipt.duplicates += 1
        elif (error := judge.check_event(row, event)) is not None:
            receipt.rejected.append(error)
        elif (mark := (batch.profile_index[row], batch.event_hashes[row])) in seen:
            receipt.duplicates += 1
        else:
            if batch.event_hashes[row]:
                seen.add(mark)
            rows.append(row)
    return _pack_records(batch, rows, receipt, kinds=kinds, items=items)


class _EventValidator:
    """Why a row can't be taken, in the order a developer would want to hear it."""

    def __init__(
        self,
        batch: EventBatch,
        state: SpaceState,
        items: dict[str, int],
        consent: ConsentFilter,
        erased_at: dict[bytes, int],
    ) -> None:
        self.batch, self.items, self.erased_at = batch, items, erased_at
        self.opt_in = consent.opt_in
        self.max_time_ms = batch.now_ms + FUTURE_TOLERANCE_MS
        self.retention_days = state.privacy.event_retention_days
        self.min_time_ms = batch.now_ms - self.retention_days * DAY_MS
        self.has_consent = [consent.allows(key) for key in batch.keys]

    def check_event(self, row: int, event: EventInput) -> RowError | None:
        who = self.batch.profile_index[row]
        at = self.batch.now_ms if event.at is None else int(event.at.timestamp() * 1000)
        if who < 0:
            return _build_error(row, "profile_id", "missing_profile", "Give profile_id or session_id.")
        if event.item_id not in self.items:
            return _build_error(row, "item_id", "unknown_item", "No item has this id; send the item first.")
        if at > self.max_time_ms:
            return _build_error(row, "at", "in_the_future", "The time is more than 10 minutes ahead of ours.")
        if at < self.min_time_ms:
            detail = f"Older than the {self.retention_days} days for which this tenant keeps events."
            return _build_error(row, "at", "older_than_retention", detail)
        if not self.has_consent[who]:
            return self._build_consent_error(row)
        if self.erased_at and at <= self.erased_at.get(self.batch.keys[who], -1):
            return _build_error(row, "profile_id", "erased_profile", "From before this profile was erased.")
        return None

    def _build_consent_error(self, row: int) -> RowError:
        if self.opt_in:
            detail = "This profile has not consented; send its consent with the profile first."
            return _build_error(row, "profile_id", "consent_missing", detail)
        return _build_error(row, "profile_id", "consent_refused", "This profile refused to be profiled.")


def _build_error(row: int, name: str, code: str, detail: str) -> RowError:
    return RowError(row, f"/events/{row}/{name}", code, detail)


def _pack_records(
    batch: EventBatch,
    rows: list[int],
    receipt: EventReceipt,
    *,
    kinds: dict[str, EventKind],
    items: dict[str, int],
) -> PreparedEvents:
    events = [batch.events[row] for row in rows]
    who = np.fromiter((batch.profile_index[row] for row in rows), np.int64, len(rows))
    records = np.zeros(len(rows), RECORD_DTYPE)
    records["version"] = VERSION
    records["flags"] = np.array([*batch.is_session, False])[who] * FLAG_SESSION
    records["kind"] = [kinds[event.kind].number for event in events]
    records["item"] = [items[event.item_id] for event in events]
    records["source"] = batch.source_no
    records["value"] = [nan if event.value is None else event.value for event in events]
    records["price"] = [nan if event.price is None else event.price for event in events]
    records["quantity"] = [nan if event.quantity is None else event.quantity for event in events]
    records["at"] = [batch.now_ms if e.at is None else int(e.at.timestamp() * 1000) for e in events]
    records["event"] = [batch.event_hashes[row] for row in rows]
    records["recommendation"] = [batch.recommendation_hashes[row] for row in rows]
    return PreparedEvents(
        keys=batch.keys,
        records=records,
        profile_index=who,
        kind_names={kind.number: name for name, kind in kinds.items()},
        scenarios=[event.scenario or "" for event in events],
        attributed=[event.recommendation_id is not None for event in events],
        rejected=receipt.rejected,
        duplicates=receipt.duplicates,
    )
