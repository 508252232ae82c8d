"""Joins a version's recommendations with the events that followed them, from receipts and the timeline; in memory only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from recommender.evaluation.decisions.online_monitoring import SIGNALS, ServedRecommendations, Signal
from recommender.tenant_data.paging import PAGE_SIZE, iter_pages
from recommender.types import BoolArray, Int32Array, Int64Array
from tenants.data.queries import receipts, tenant_state, timeline
from tenants.data.queries.receipts import StoredReceipt
from tenants.data.records import Records
from tenants.data.types import EventKind
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

# Clients set the times of events; an event up to this much before its recommendation still counts.
MAX_CLOCK_SKEW = timedelta(minutes=5)
MAX_RECOMMENDATIONS = 100_000
CONVERSION_WEIGHT = 3.0
PERSONAL_STAGES = ("model", "model_session")
PORTAL_SCENARIO_PREFIX = "portal."


@dataclass(
    frozen=True,
    slots=True,
)
class ComparedVersions:
    """Names of the active and the previous version, and when the first became active."""

    active: str
    previous: str
    activated_at: datetime


@dataclass(
    frozen=True,
    slots=True,
)
class VersionRecommendations:
    """Recommendations of the active and the previous version, with their outcomes."""

    current: ServedRecommendations
    previous: ServedRecommendations


@dataclass
class _Numbering:
    """Numbers profiles and scenarios in order of appearance; shared by both versions."""

    profiles: dict[bytes, int] = field(default_factory=dict)
    scenarios: dict[str, int] = field(default_factory=dict)


@dataclass
class _ReceiptColumns:
    """Recommendations of one version while they are read; parallel lists."""

    ids: list[int] = field(default_factory=list)
    served_at: list[int] = field(default_factory=list)
    profile: list[int] = field(default_factory=list)
    scenario: list[int] = field(default_factory=list)


@dataclass(
    frozen=True,
    slots=True,
)
class _VersionOutcomes:
    """Recommendations of one version, ascending by `receipt_hash`; times in Unix milliseconds.

    `outcomes` are masks that are filled while events are read.
    """

    receipt_hash: np.ndarray[tuple[int], np.dtype[np.uint64]]
    served_at: Int64Array
    profile: Int32Array
    scenario: Int32Array
    outcomes: Mapping[Signal, BoolArray]

    def mark_outcomes(self, records: Records, signal: Signal, attribution_window: timedelta) -> None:
        """Marks the recommendations that these events followed within the attribution window."""
        if not self.receipt_hash.size or not records.size:
            return
        # searchsorted returns where a hash would be inserted; it is a match only if the hash there is equal.
        insertion_points = np.searchsorted(self.receipt_hash, records["recommendation"])
        row = np.minimum(insertion_points, self.receipt_hash.size - 1)
        is_match = self.receipt_hash[row] == records["recommendation"]
        delay_ms = records["at"].astype(np.int64) - self.served_at[row]
        is_match &= delay_ms >= -_to_milliseconds(MAX_CLOCK_SKEW)
        is_match &= delay_ms <= _to_milliseconds(attribution_window)
        self.outcomes[signal][row[is_match]] = True

    def select_closed(self, cutoff_ms: int, attribution_window: timedelta) -> ServedRecommendations:
        """Recommendations whose attribution window had ended at the cut-off."""
        is_closed = self.served_at + _to_milliseconds(attribution_window) <= cutoff_ms
        return ServedRecommendations(
            self.profile[is_closed],
            self.scenario[is_closed],
            {signal: mask[is_closed] for signal, mask in self.outcomes.items()},
        )


def load_served_recommendations(
    tenant: TenantRef,
    versions: ComparedVersions,
    *,
    comparison_window: timedelta,
    attribution_window: timedelta,
    actor: Actor,
) -> VersionRecommendations:
    """Loads recommendations of both versions with their outcomes, at most MAX_RECOMMENDATIONS of each, the newest.

    Only recommendations of the model itself count, not those requested in the portal, and only those whose attribution window had
    ended when the newest event was received: clients may send events with a delay.

    Args:
        tenant: the tenant.
        versions: the versions to compare.
        comparison_window: how far back the active version's recommendations count, and how long before its activation the
            previous version's do.
        attribution_window: how long after a recommendation an event counts as its outcome.
        actor: recorded with each scope.
    """
    now = datetime.now(UTC)
    previous_start = versions.activated_at - comparison_window
    numbering = _Numbering()
    active_window = (max(versions.activated_at, now - comparison_window), now)
    current = _load_outcomes(
        tenant,
        versions.active,
        active_window,
        numbering,
        actor,
    )
    previous_window = (previous_start, versions.activated_at)
    previous = _load_outcomes(
        tenant,
        versions.previous,
        previous_window,
        numbering,
        actor,
    )
    newest_event_ms = _mark_outcomes(
        tenant,
        (current, previous),
        previous_start,
        attribution_window,
        actor,
    )
    # If no more events arrive, later recommendations are not judged as ignored.
    cutoff_ms = min(newest_event_ms, _to_epoch_ms(now))
    return VersionRecommendations(
        current=current.select_closed(cutoff_ms, attribution_window),
        previous=previous.select_closed(cutoff_ms, attribution_window),
    )


def group_kinds_by_signal(kinds: Mapping[str, EventKind]) -> dict[Signal, list[int]]:
    """Numbers of the event kinds of each signal.

    Clicks are the kind "click". Conversions are kinds with a weight of at least CONVERSION_WEIGHT, by default carts and purchases.
    Dismissals are kinds with a negative weight.
    """
    return {
        "clicks": [kinds["click"].number] if "click" in kinds else [],
        "conversions": [kind.number for kind in kinds.values() if kind.weight >= CONVERSION_WEIGHT],
        "dismissals": [kind.number for kind in kinds.values() if kind.weight < 0],
    }


def _load_outcomes(
    tenant: TenantRef,
    version: str,
    window: tuple[datetime, datetime],
    numbering: _Numbering,
    actor: Actor,
) -> _VersionOutcomes:
    columns = _ReceiptColumns()
    for receipt in _iter_receipts(tenant, *window, actor):
        facts = receipt.facts
        if facts["model"] != version or facts["stage"] not in PERSONAL_STAGES:
            continue
        if facts["scenario"].startswith(PORTAL_SCENARIO_PREFIX):
            continue
        # A recommendation without a profile counts as a profile of its own.
        profile_key = receipt.profile_key or receipt.id.bytes
        profiles, scenarios = numbering.profiles, numbering.scenarios
        columns.ids.append(receipt.id.int)
        columns.served_at.append(receipt.at_ms)
        columns.profile.append(profiles.setdefault(profile_key, len(profiles)))
        # Both versions share the numbering, so that scenarios can be matched.
        columns.scenario.append(scenarios.setdefault(facts["scenario"], len(scenarios)))
        if len(columns.ids) == MAX_RECOMMENDATIONS:
            break
    return _build_outcomes(tenant, columns)


def _iter_receipts(
    tenant: TenantRef,
    start: datetime,
    end: datetime,
    actor: Actor,
) -> Iterator[StoredReceipt]:
    """Newest first."""

    def load_page(s: Scope, previous: list[StoredReceipt] | None) -> list[StoredReceipt]:
        before = previous[-1].id if previous else receipts.to_min_receipt_id(end)
        return receipts.list_receipts(s, start, before, limit=PAGE_SIZE)

    for page in iter_pages(tenant, load_page, actor=actor):
        yield from page


def _build_outcomes(tenant: TenantRef, columns: _ReceiptColumns) -> _VersionOutcomes:
    receipt_ids = [UUID(int=number) for number in columns.ids]
    hashes = np.array(receipts.hash_receipt_ids(tenant, receipt_ids), dtype=np.uint64)
    order = np.argsort(hashes, kind="stable")
    return _VersionOutcomes(
        receipt_hash=hashes[order],
        served_at=np.array(columns.served_at, np.int64)[order],
        profile=np.array(columns.profile, np.int32)[order],
        scenario=np.array(columns.scenario, np.int32)[order],
        outcomes={signal: np.zeros(order.size, np.bool_) for signal in SIGNALS},
    )


def _mark_outcomes(
    tenant: TenantRef,
    versions: tuple[_VersionOutcomes, _VersionOutcomes],
    start: datetime,
    attribution_window: timedelta,
    actor: Actor,
) -> int:
    """Marks the outcomes of both versions; returns the time of the newest event of any kind, in Unix milliseconds."""
    with scope(tenant, actor=actor) as s:
        kinds_by_signal = group_kinds_by_signal(tenant_state.get_state(s).event_kinds)
    newest_ms = 0
    for _key, records in timeline.scan_recent_chunks(tenant, start, actor=actor):
        newest_ms = max(newest_ms, int(records["at"].max(initial=0)))
        # Events that name no recommendation have the hash zero.
        attributed = records[records["recommendation"] != 0]
        for signal, kind_numbers in kinds_by_signal.items():
            of_signal = attributed[np.isin(attributed["kind"], kind_numbers)]
            for outcomes in versions:
                outcomes.mark_outcomes(of_signal, signal, attribution_window)
    return newest_ms


def _to_milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _to_epoch_ms(timestamp: datetime) -> int:
    return int(timestamp.timestamp() * 1000)
