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
from tenants.data.queries.item_numbers import item_numbers
from tenants.data.records import CHUNK_EVENTS, RECORD, VERSION, Records, row_id
from tenants.data.types import EventInput, EventKind, EventReceipt, RowError, SpaceState
from tenants.keys.queries import keyring
from tenants.scope import Scope

FUTURE_TOLERANCE_MS = 10 * 60 * 1000
DAY_MS = 86_400_000
FLAG_SESSION = 1
Chunks = tuple[list[bytes], list[int], list[int], list[int], list[int], list[bytes]]
Counts = tuple[list[str], list[str], list[str], list[str], list[int]]


class Batch:
    """`keys` are the distinct profile keys; `who[i]` is the index of event i's key, -1 where it names nobody.

    When `only` is not empty, the other rows were taken by an earlier call.
    """

    def __init__(self, s: Scope, events: Sequence[EventInput], *, source_no: int, now: datetime) -> None:
        ring = keyring(s.ref)
        self.scope, self.events, self.source_no = s, events, source_no
        self.only: frozenset[int] = frozenset()
        self.now_ms = int(now.timestamp() * 1000)
        index: dict[tuple[str, str], int] = {}
        self.who = [self._place(event, index) for event in events]
        uids = [name for kind, name in index if kind == "uid"]
        sids = [name for kind, name in index if kind == "sid"]
        hashed = {("uid", n): k for n, k in zip(uids, ring.pseudonyms("uid", uids), strict=True)}
        hashed |= {("sid", n): k for n, k in zip(sids, ring.pseudonyms("sid", sids), strict=True)}
        self.keys = [hashed[name] for name in index]
        self.is_session = [kind == "sid" for kind, _ in index]
        self.digest = self._digest()
        self.event_hashes = _hashes(s, "event", [event.id for event in events])
        self.recommendation_hashes = _hashes(
            s, "recommendation", [event.recommendation_id for event in events]
        )

    @staticmethod
    def _place(event: EventInput, index: dict[tuple[str, str], int]) -> int:
        if event.profile_id is not None:
            return index.setdefault(("uid", event.profile_id), len(index))
        if event.session_id is not None:
            return index.setdefault(("sid", event.session_id), len(index))
        return -1

    def _digest(self) -> bytes:
        """Empty unless every event has a time or an id: two equal anonymous batches may both be meant."""
        if not self.events or any(event.at is None and event.id is None for event in self.events):
            return b""
        body = msgspec.json.encode([self.source_no, self.events])
        digest: bytes = keyring(self.scope.ref).digest("batch", body)
        return digest


def _hashes(s: Scope, kind: str, ids: list[str | None]) -> list[int]:
    """64-bit keyed hashes, 0 where there is no id."""
    if not any(ids):
        return [0] * len(ids)
    given = [one for one in ids if one]
    hashed = iter(keyring(s.ref).pseudonyms(kind, given))
    return [int.from_bytes(next(hashed)[:8], "little") or 1 if one else 0 for one in ids]


@dataclass
class Prepared:
    """Valid records with their profiles (`who`, indices into `keys`), in the order received."""

    keys: list[bytes]
    records: Records
    who: np.ndarray[tuple[int], np.dtype[np.int64]]
    kind_names: dict[int, str]
    scenarios: list[str]
    attributed: list[bool]
    rejected: list[RowError] = field(default_factory=list)
    duplicates: int = 0

    @property
    def count(self) -> int:
        return int(self.records.size)

    def chunks(self, s: Scope, seq: int) -> Chunks:
        """Columns of the rows to insert, one or two a profile: key, seq, first and last (ms), count, sealed body."""
        order = np.lexsort((self.records["at"], self.who))
        records, who = self.records[order], self.who[order]
        starts = _starts(who)
        ends = np.r_[starts[1:], who.size]
        keys = [self.keys[one] for one in who[starts].tolist()]
        seqs = list(range(seq, seq + len(keys)))
        width, body = RECORD.itemsize, records.tobytes()
        plain = [body[a * width : b * width] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        cipher = keyring(s.ref).cipher(Purpose.TIMELINE, table="timeline", column="body")
        sealed = cipher.seal_many(plain, [row_id(k, q) for k, q in zip(keys, seqs, strict=True)])
        at = records["at"]
        return keys, seqs, at[starts].tolist(), at[ends - 1].tolist(), (ends - starts).tolist(), sealed

    def counts(self) -> Counts:
        """Columns of counter deltas: day, metric, kind, scenario, count."""
        days = (self.records["at"] // DAY_MS).tolist()
        kinds = self.records["kind"].tolist()
        totals: Counter[tuple[int, str, int, str]] = Counter()
        for (day, kind, scenario), count in Counter(zip(days, kinds, self.scenarios, strict=True)).items():
            totals[day, "events", kind, scenario] += count
        if any(self.attributed):
            for day, kind, scenario, mine in zip(days, kinds, self.scenarios, self.attributed, strict=True):
                totals[day, "attributed", kind, scenario] += mine
        rows = [(_day(d), m, self.kind_names[k], c, n) for (d, m, k, c), n in totals.items() if n]
        days_, metrics, names, scenarios, counts = zip(*rows, strict=True)
        return list(days_), list(metrics), list(names), list(scenarios), list(counts)


def _starts(who: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where chunks begin in events sorted by profile. None is as long as a settled one, so each is merged some day."""
    place = np.arange(who.size)
    is_first = np.r_[True, who[1:] != who[:-1]]
    first = np.maximum.accumulate(np.where(is_first, place, 0))
    return np.flatnonzero((place - first) % (CHUNK_EVENTS - 1) == 0)


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()


def prepare(
    batch: Batch,
    state: SpaceState,
    kinds: dict[str, EventKind],
    *,
    standing: set[bytes],
    erased: dict[bytes, int],
) -> Prepared:
    """Rejects what can't be taken, drops repeats within the batch, and packs the rest."""
    items = item_numbers(batch.scope, (event.item_id for event in batch.events))
    judge = _Judge(batch, state, items, standing, erased)
    seen: set[tuple[int, int]] = set()
    receipt, rows = EventReceipt(), []
    for row, event in enumerate(batch.events):
        if batch.only and row not in batch.only:
            receipt.duplicates += 1
        elif (error := judge.refuse(row, event)) is not None:
            receipt.rejected.append(error)
        elif (mark := (batch.who[row], batch.event_hashes[row])) in seen:
            receipt.duplicates += 1
        else:
            if batch.event_hashes[row]:
                seen.add(mark)
            rows.append(row)
    return _pack(batch, rows, receipt, kinds=kinds, items=items)


class _Judge:
    """Why a row can't be taken, in the order a developer would want to hear it."""

    def __init__(
        self,
        batch: Batch,
        state: SpaceState,
        items: dict[str, int],
        standing: set[bytes],
        erased: dict[bytes, int],
    ) -> None:
        self.batch, self.items, self.erased = batch, items, erased
        self.opt_in = state.privacy.basis == "opt_in"
        self.latest = batch.now_ms + FUTURE_TOLERANCE_MS
        self.kept_for_days = state.privacy.events_kept_for_days
        self.earliest = batch.now_ms - self.kept_for_days * DAY_MS
        allowed = [key in standing if self.opt_in else key not in standing for key in batch.keys]
        self.allowed = [*allowed, True]

    def refuse(self, row: int, event: EventInput) -> RowError | None:
        who = self.batch.who[row]
        at = self.batch.now_ms if event.at is None else int(event.at.timestamp() * 1000)
        if who < 0:
            return _error(row, "profile_id", "missing_profile", "Give profile_id or session_id.")
        if event.item_id not in self.items:
            return _error(row, "item_id", "unknown_item", "No item has this id; send the item first.")
        if at > self.latest:
            return _error(row, "at", "in_the_future", "The time is more than 10 minutes ahead of ours.")
        if at < self.earliest:
            detail = f"Older than the {self.kept_for_days} days for which this tenant keeps events."
            return _error(row, "at", "older_than_retention", detail)
        if not self.allowed[who]:
            return self._consent(row)
        if self.erased and at <= self.erased.get(self.batch.keys[who], -1):
            return _error(row, "profile_id", "erased_profile", "From before this profile was erased.")
        return None

    def _consent(self, row: int) -> RowError:
        if self.opt_in:
            detail = "This profile has not consented; send its consent with the profile first."
            return _error(row, "profile_id", "consent_missing", detail)
        return _error(row, "profile_id", "consent_refused", "This profile refused to be profiled.")


def _error(row: int, name: str, code: str, detail: str) -> RowError:
    return RowError(row, f"/events/{row}/{name}", code, detail)


def _pack(
    batch: Batch,
    rows: list[int],
    receipt: EventReceipt,
    *,
    kinds: dict[str, EventKind],
    items: dict[str, int],
) -> Prepared:
    events = [batch.events[row] for row in rows]
    who = np.fromiter((batch.who[row] for row in rows), np.int64, len(rows))
    records = np.zeros(len(rows), RECORD)
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
    return Prepared(
        keys=batch.keys,
        records=records,
        who=who,
        kind_names={kind.number: name for name, kind in kinds.items()},
        scenarios=[event.scenario or "" for event in events],
        attributed=[event.recommendation_id is not None for event in events],
        rejected=receipt.rejected,
        duplicates=receipt.duplicates,
    )
