"""One ingest call: resolves profiles and items, validates each event and packs the valid ones into records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import nan

import msgspec
import numpy as np

from tenants.common.time_units import DAY_MS
from tenants.data.actions.prepared_events import PreparedEvents
from tenants.data.queries.consent import ConsentFilter
from tenants.data.queries.item_numbers import find_item_numbers
from tenants.data.records import RECORD_DTYPE, VERSION, Records
from tenants.data.types import EventInput, EventKind, EventReceipt, RowError, SpaceState
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

FUTURE_TOLERANCE_MS = 10 * 60 * 1000
FLAG_SESSION = 1
NO_PROFILE = -1
_HASH_BYTES = 8


class EventBatch:
    """The events of a call with their profile keys and hashes.

    Attributes:
        keys: The distinct profile keys.
        profile_index: For each event the index of its key in `keys`, or NO_PROFILE.
        is_session: For each key whether it stands for an anonymous session.
        digest: Identifies a repeated batch; empty if a repetition can't be recognised.
        event_hashes: 64-bit hashes of the event ids, 0 without an id.
        recommendation_hashes: 64-bit hashes of the recommendation ids, 0 without an id.
        rows_to_retry: If not empty, the rows that an earlier call rejected; the other rows are already stored.
    """

    def __init__(
        self,
        s: Scope,
        events: Sequence[EventInput],
        *,
        source_no: int,
        now: datetime,
    ) -> None:
        self.scope, self.events, self.source_no = s, events, source_no
        self.rows_to_retry: frozenset[int] = frozenset()
        self.now_ms = int(now.timestamp() * 1000)
        # (kind, id) -> index of the key, in order of first occurrence.
        index: dict[tuple[str, str], int] = {}
        self.profile_index = [self._index_profile(event, index) for event in events]
        self.keys = self._derive_keys(list(index))
        self.is_session = [kind == "sid" for kind, _id in index]
        self.digest = self._compute_digest()
        self.event_hashes = _hash_ids(s, "event", [event.id for event in events])
        recommendation_ids = [event.recommendation_id for event in events]
        self.recommendation_hashes = _hash_ids(s, "recommendation", recommendation_ids)

    @staticmethod
    def _index_profile(event: EventInput, index: dict[tuple[str, str], int]) -> int:
        if event.profile_id is not None:
            return index.setdefault(("uid", event.profile_id), len(index))
        if event.session_id is not None:
            return index.setdefault(("sid", event.session_id), len(index))
        return NO_PROFILE

    def _derive_keys(self, identities: list[tuple[str, str]]) -> list[bytes]:
        """Returns the profile keys of (kind, id) pairs, in their order; one keyring call per kind."""
        keyring = get_keyring(self.scope.ref)
        keys: dict[tuple[str, str], bytes] = {}
        for kind in ("uid", "sid"):
            ids = [identity for identity_kind, identity in identities if identity_kind == kind]
            for identity, key in zip(ids, keyring.derive_pseudonyms(kind, ids), strict=True):
                keys[kind, identity] = key
        return [keys[identity] for identity in identities]

    def _compute_digest(self) -> bytes:
        # Two equal batches of events without time and id may be two different sets of events.
        if not self.events or any(event.at is None and event.id is None for event in self.events):
            return b""
        body = msgspec.json.encode([self.source_no, self.events])
        digest: bytes = get_keyring(self.scope.ref).compute_digest("batch", body)
        return digest

    def get_time_ms(self, event: EventInput) -> int:
        """Returns the event's time in Unix milliseconds; the time of the call if it has none."""
        if event.at is None:
            return self.now_ms
        return int(event.at.timestamp() * 1000)


def _hash_ids(s: Scope, kind: str, ids: list[str | None]) -> list[int]:
    """Returns 64-bit keyed hashes of the ids, 0 for None."""
    hashes = [0] * len(ids)
    rows = [row for row, identity in enumerate(ids) if identity]
    if not rows:
        return hashes
    pseudonyms = get_keyring(s.ref).derive_pseudonyms(kind, [identity for identity in ids if identity])
    for row, pseudonym in zip(rows, pseudonyms, strict=True):
        # 0 means "no id", so a hash of 0 becomes 1.
        hashes[row] = int.from_bytes(pseudonym[:_HASH_BYTES], "little") or 1
    return hashes


def prepare_events(
    batch: EventBatch,
    state: SpaceState,
    kinds: dict[str, EventKind],
    *,
    consent: ConsentFilter,
    erased_at: dict[bytes, int],
) -> PreparedEvents:
    """Validates the events, drops repeated event ids within the batch and packs the rest.

    Args:
        batch: The call's events.
        state: The tenant's settings.
        kinds: Event kinds by name; contains all kinds of the batch.
        consent: Selects the profiles whose events may be stored.
        erased_at: Erased profile keys -> time of the erasure in Unix milliseconds.

    Returns:
        The valid events; rejected rows with a reason, and the number of duplicates.
    """
    items = find_item_numbers(batch.scope, (event.item_id for event in batch.events))
    validator = _EventValidator(
        batch,
        state,
        items,
        consent,
        erased_at,
    )
    seen: set[tuple[int, int]] = set()
    receipt, rows = EventReceipt(), []
    for row, event in enumerate(batch.events):
        if batch.rows_to_retry and row not in batch.rows_to_retry:
            receipt.duplicates += 1
            continue
        error = validator.check_event(row, event)
        if error is not None:
            receipt.rejected.append(error)
            continue
        # Event ids are unique per profile. Events without an id (hash 0) are never duplicates.
        identity = (batch.profile_index[row], batch.event_hashes[row])
        if identity in seen:
            receipt.duplicates += 1
            continue
        if batch.event_hashes[row]:
            seen.add(identity)
        rows.append(row)
    return _pack_events(
        batch,
        rows,
        receipt,
        kinds=kinds,
        items=items,
    )


class _EventValidator:
    """Returns the first reason why an event is rejected; errors of the request come before those of privacy."""

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
        profile = self.batch.profile_index[row]
        at_ms = self.batch.get_time_ms(event)
        if profile == NO_PROFILE:
            return _build_error(row, "profile_id", "missing_profile", "Give profile_id or session_id.")
        if event.item_id not in self.items:
            return _build_error(row, "item_id", "unknown_item", "No item has this id; send the item first.")
        if at_ms > self.max_time_ms:
            return _build_error(row, "at", "in_the_future", "The time is more than 10 minutes ahead of ours.")
        if at_ms < self.min_time_ms:
            detail = f"Older than the {self.retention_days} days for which this tenant keeps events."
            return _build_error(row, "at", "older_than_retention", detail)
        if not self.has_consent[profile]:
            return self._build_consent_error(row)
        if self.erased_at and at_ms <= self.erased_at.get(self.batch.keys[profile], -1):
            return _build_error(row, "profile_id", "erased_profile", "From before this profile was erased.")
        return None

    def _build_consent_error(self, row: int) -> RowError:
        if self.opt_in:
            detail = "This profile has not consented; send its consent with the profile first."
            return _build_error(row, "profile_id", "consent_missing", detail)
        return _build_error(row, "profile_id", "consent_refused", "This profile refused to be profiled.")


def _build_error(
    row: int,
    name: str,
    code: str,
    detail: str,
) -> RowError:
    return RowError(row, f"/events/{row}/{name}", code, detail)


def _pack_events(
    batch: EventBatch,
    rows: list[int],
    receipt: EventReceipt,
    *,
    kinds: dict[str, EventKind],
    items: dict[str, int],
) -> PreparedEvents:
    events = [batch.events[row] for row in rows]
    profile_index = np.fromiter((batch.profile_index[row] for row in rows), np.int64, len(rows))
    return PreparedEvents(
        keys=batch.keys,
        records=_pack_records(
            batch,
            rows,
            profile_index,
            kinds=kinds,
            items=items,
        ),
        profile_index=profile_index,
        kind_names={kind.number: name for name, kind in kinds.items()},
        scenarios=[event.scenario or "" for event in events],
        attributed=[event.recommendation_id is not None for event in events],
        rejected=receipt.rejected,
        duplicates=receipt.duplicates,
    )


def _pack_records(
    batch: EventBatch,
    rows: list[int],
    profile_index: np.ndarray[tuple[int], np.dtype[np.int64]],
    *,
    kinds: dict[str, EventKind],
    items: dict[str, int],
) -> Records:
    events = [batch.events[row] for row in rows]
    records = np.zeros(len(rows), RECORD_DTYPE)
    records["version"] = VERSION
    # The additional False keeps the array from being empty; no valid event has the index NO_PROFILE.
    records["flags"] = np.array([*batch.is_session, False])[profile_index] * FLAG_SESSION
    records["kind"] = [kinds[event.kind].number for event in events]
    records["item"] = [items[event.item_id] for event in events]
    records["source"] = batch.source_no
    for name in ("value", "price", "quantity"):
        numbers = [getattr(event, name) for event in events]
        # NaN stands for an absent number.
        records[name] = [nan if number is None else number for number in numbers]
    records["at"] = [batch.get_time_ms(event) for event in events]
    records["event"] = [batch.event_hashes[row] for row in rows]
    records["recommendation"] = [batch.recommendation_hashes[row] for row in rows]
    return records
