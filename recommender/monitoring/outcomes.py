"""Answers of a model version with what followed them, from receipts and timeline. Nothing of it is written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from recommender.evaluation.decisions.online_monitoring import SIGNALS, ServedRecommendations, Signal
from recommender.types import BoolArray, Int32Array, Int64Array
from tenants.data.queries import receipts, tenant_state, timeline
from tenants.data.queries.receipts import StoredReceipt
from tenants.data.records import Records
from tenants.data.types import EventKind
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

MAX_CLOCK_SKEW = timedelta(minutes=5)
MAX_RECOMMENDATIONS = 100_000
CONVERSION_WEIGHT = 3.0
PERSONAL_STAGES = ("model", "model_session")
PORTAL_SCENARIO_PREFIX = "portal."
_PAGE_SIZE = 5_000


@dataclass
class _ReceiptColumns:
    """Answers of one version while they are read."""

    ids: list[int] = field(default_factory=list)
    served_at: list[int] = field(default_factory=list)
    profile: list[int] = field(default_factory=list)
    scenario: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _VersionOutcomes:
    """By answer, ascending by hash. Times are milliseconds."""

    receipt_hash: np.ndarray[tuple[int], np.dtype[np.uint64]]
    served_at: Int64Array
    profile: Int32Array
    scenario: Int32Array
    outcomes: Mapping[Signal, BoolArray]

    def mark_outcomes(self, records: Records, signal: Signal, attribution_window: timedelta) -> None:
        """What came after an answer, within the time in which it counts."""
        if not self.receipt_hash.size or not records.size:
            return
        row = np.minimum(
            np.searchsorted(self.receipt_hash, records["recommendation"]), self.receipt_hash.size - 1
        )
        late = records["at"].astype(np.int64) - self.served_at[row]
        known = self.receipt_hash[row] == records["recommendation"]
        known &= (late >= -_to_milliseconds(MAX_CLOCK_SKEW)) & (late <= _to_milliseconds(attribution_window))
        self.outcomes[signal][row[known]] = True

    def select_closed(self, cutoff_ms: int, attribution_window: timedelta) -> ServedRecommendations:
        """Those whose time to be followed was over at that moment."""
        old = self.served_at + _to_milliseconds(attribution_window) <= cutoff_ms
        return ServedRecommendations(
            self.profile[old], self.scenario[old], {n: f[old] for n, f in self.outcomes.items()}
        )


def load_served_recommendations(
    tenant: TenantRef,
    versions: tuple[str, str],
    *,
    activated_at: datetime,
    comparison_window: timedelta,
    attribution_window: timedelta,
    actor: Actor,
) -> tuple[ServedRecommendations, ServedRecommendations]:
    """Of the version that serves since `turned_at`, and of the one before within `window` before that.

    At most MOST_ANSWERS of each, the newest. Only answers of the model itself, asked for outside the portal, and only
    those with the whole time behind them: until the newest event that came in, for a client may send events late.
    """
    now = datetime.now(UTC)
    numbers: tuple[dict[bytes, int], dict[str, int]] = ({}, {})
    newer = _load_outcomes(
        tenant, versions[0], max(activated_at, now - comparison_window), now, numbers, actor
    )
    older = _load_outcomes(
        tenant, versions[1], activated_at - comparison_window, activated_at, numbers, actor
    )
    newest = _mark_outcomes(
        tenant, (newer, older), activated_at - comparison_window, attribution_window, actor
    )
    until = min(newest, _to_epoch_ms(now))
    return newer.select_closed(until, attribution_window), older.select_closed(until, attribution_window)


def group_kinds_by_signal(kinds: Mapping[str, EventKind]) -> dict[Signal, list[int]]:
    """Clicks are of that name. Conversions weigh at least 3 (cart, purchase, or as the tenant set it)."""
    return {
        "clicks": [kinds["click"].number] if "click" in kinds else [],
        "conversions": [kind.number for kind in kinds.values() if kind.weight >= CONVERSION_WEIGHT],
        "dismissals": [kind.number for kind in kinds.values() if kind.weight < 0],
    }


def _load_outcomes(
    tenant: TenantRef,
    version: str,
    start: datetime,
    end: datetime,
    id_maps: tuple[dict[bytes, int], dict[str, int]],
    actor: Actor,
) -> _VersionOutcomes:
    people, places = id_maps
    column = _ReceiptColumns()
    for one in _iter_receipts(tenant, start, end, actor):
        facts = one.facts
        if facts["model"] != version or facts["stage"] not in PERSONAL_STAGES:
            continue
        if facts["scenario"].startswith(PORTAL_SCENARIO_PREFIX):
            continue
        key = one.profile_key or one.id.bytes
        column.ids.append(one.id.int)
        column.served_at.append(one.at_ms)
        column.profile.append(people.setdefault(key, len(people)))
        column.scenario.append(places.setdefault(facts["scenario"], len(places)))
        if len(column.ids) == MAX_RECOMMENDATIONS:
            break
    return _build_outcomes(tenant, column)


def _iter_receipts(
    tenant: TenantRef, start: datetime, end: datetime, actor: Actor
) -> Iterator[StoredReceipt]:
    before = receipts.to_min_receipt_id(end)
    while True:
        with scope(tenant, actor=actor) as s:
            page = receipts.list_receipts(s, start, before, limit=_PAGE_SIZE)
        yield from page
        if len(page) < _PAGE_SIZE:
            return
        before = page[-1].id


def _build_outcomes(tenant: TenantRef, columns: _ReceiptColumns) -> _VersionOutcomes:
    from_int = [UUID(int=one) for one in columns.ids]
    hashed = np.array(receipts.hash_receipt_ids(tenant, from_int), dtype=np.uint64)
    order = np.argsort(hashed, kind="stable")
    return _VersionOutcomes(
        receipt_hash=hashed[order],
        served_at=np.array(columns.served_at, np.int64)[order],
        profile=np.array(columns.profile, np.int32)[order],
        scenario=np.array(columns.scenario, np.int32)[order],
        outcomes={name: np.zeros(order.size, np.bool_) for name in SIGNALS},
    )


def _mark_outcomes(
    tenant: TenantRef,
    versions: tuple[_VersionOutcomes, _VersionOutcomes],
    start: datetime,
    attribution_window: timedelta,
    actor: Actor,
) -> int:
    """Marks what followed; the time of the newest event of any kind, in milliseconds."""
    with scope(tenant, actor=actor) as s:
        kinds = group_kinds_by_signal(tenant_state.get_state(s).event_kinds)
    newest = 0
    for _key, found in timeline.scan_recent_chunks(tenant, start, actor=actor):
        newest = max(newest, int(found["at"].max(initial=0)))
        named = found[found["recommendation"] != 0]
        for signal, numbers in kinds.items():
            mine = named[np.isin(named["kind"], numbers)]
            for side in versions:
                side.mark_outcomes(mine, signal, attribution_window)
    return newest


def _to_milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _to_epoch_ms(timestamp: datetime) -> int:
    return int(timestamp.timestamp() * 1000)
