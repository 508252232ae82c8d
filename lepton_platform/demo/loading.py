"""Puts the tables of one demo tenant into its space, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from lepton_platform.demo.progress import Progress
from lepton_platform.demo.records import BATCH, DATA, DemoRecords
from lepton_platform.demo.specs import DemoSpec
from tenants.data.actions import catalog, events, profiles, reviews, space
from tenants.data.queries import space as spaces
from tenants.data.types import RowError
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

ACTOR = Actor("system", "demo")
Report = Callable[[str, float], None]


class DemoError(Exception):
    """The space did not take a row that ships with the demo; one sentence."""


@dataclass(frozen=True)
class _Table:
    name: str
    batches: Callable[[], Iterator[Sequence[Any]]]
    write: Callable[[Scope, Sequence[Any]], Any]


def load_records(
    spec: DemoSpec, tenant: TenantRef, progress: Progress, report: Report, *, data: Path = DATA
) -> None:
    """Everything that an earlier call did not commit. Raises DemoError and the actions' errors."""
    records = DemoRecords(spec, progress.loaded_at, _prepare(spec, tenant), data)
    tables = (
        _Table("items", records.items, catalog.upsert_items),
        _Table("profiles", records.profiles, profiles.upsert_profiles),
        _Table("events", records.events, events.record_events),
        _Table("reviews", records.reviews, reviews.record_reviews),
    )
    total = records.rows()
    done = 0
    for table in tables:
        done += BATCH * progress.batches.get(table.name, 0)
        for batch in islice(table.batches(), progress.batches.get(table.name, 0), None):
            _write(table, tenant, batch)
            progress.committed(table.name)
            done += len(batch)
            report(f"{spec.name_en}: {table.name}", min(done / total, 1.0))


def _prepare(spec: DemoSpec, tenant: TenantRef) -> timedelta:
    """Weighs the tenant's own event kinds; returns for how long its space keeps events."""
    with scope(tenant, actor=ACTOR) as s:
        state = spaces.state(s)
        known = {
            name: state.event_kinds[name].weight for name in spec.kind_weights if name in state.event_kinds
        }
        if known != spec.kind_weights:
            space.set_kind_weights(s, spec.kind_weights)
        return timedelta(days=state.privacy.events_kept_for_days)


def _write(table: _Table, tenant: TenantRef, batch: Sequence[Any]) -> None:
    with scope(tenant, actor=ACTOR) as s:
        rejected: list[RowError] = table.write(s, batch).rejected
        if rejected:
            raise DemoError(f"A row of {table.name} was refused: {rejected[0].code}, {rejected[0].detail}")
