"""Puts the tables of one demo tenant into its space, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from lepton_platform.demo.progress import DemoLoadState
from lepton_platform.demo.records import BATCH_SIZE, DATA_DIRECTORY, DemoRecords
from lepton_platform.demo.specs import DemoSpec
from tenants.data.actions import catalog, events, profiles, reviews, tenant_settings
from tenants.data.queries import tenant_state as spaces
from tenants.data.types import RowError
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

ACTOR = Actor("system", "demo")
DemoProgressCallback = Callable[[str, float], None]


class DemoError(Exception):
    """The space did not take a row that ships with the demo; one sentence."""


@dataclass(frozen=True)
class _DemoTable:
    name: str
    batches: Callable[[], Iterator[Sequence[Any]]]
    write_rows: Callable[[Scope, Sequence[Any]], Any]


def load_records(
    spec: DemoSpec,
    tenant: TenantRef,
    progress: DemoLoadState,
    report: DemoProgressCallback,
    *,
    data: Path = DATA_DIRECTORY,
) -> None:
    """Everything that an earlier call did not commit. Raises DemoError and the actions' errors."""
    records = DemoRecords(spec, progress.loaded_at, _prepare_tenant(spec, tenant), data)
    tables = (
        _DemoTable("items", records.iter_items, catalog.upsert_items),
        _DemoTable("profiles", records.iter_profiles, profiles.upsert_profiles),
        _DemoTable("events", records.iter_events, events.record_events),
        _DemoTable("reviews", records.iter_reviews, reviews.record_reviews),
    )
    total = records.count_rows()
    done = 0
    for table in tables:
        done += BATCH_SIZE * progress.committed_batches.get(table.name, 0)
        for batch in islice(table.batches(), progress.committed_batches.get(table.name, 0), None):
            _write_batch(table, tenant, batch)
            progress.record_batch(table.name)
            done += len(batch)
            report(f"{spec.name_en}: {table.name}", min(done / total, 1.0))


def _prepare_tenant(spec: DemoSpec, tenant: TenantRef) -> timedelta:
    """Weighs the tenant's own event kinds; returns for how long its space keeps events."""
    with scope(tenant, actor=ACTOR) as s:
        state = spaces.get_state(s)
        known = {
            name: state.event_kinds[name].weight for name in spec.kind_weights if name in state.event_kinds
        }
        if known != spec.kind_weights:
            tenant_settings.set_kind_weights(s, spec.kind_weights)
        return timedelta(days=state.privacy.event_retention_days)


def _write_batch(table: _DemoTable, tenant: TenantRef, batch: Sequence[Any]) -> None:
    with scope(tenant, actor=ACTOR) as s:
        rejected: list[RowError] = table.write_rows(s, batch).rejected
        if rejected:
            raise DemoError(f"A row of {table.name} was refused: {rejected[0].code}, {rejected[0].detail}")
