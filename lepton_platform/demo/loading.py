"""Loads the tables of one demo tenant in batches, each in a transaction of its own."""

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
from tenants.data.queries import tenant_state
from tenants.data.types import RowError
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

ACTOR = Actor("system", "demo")
DemoProgressCallback = Callable[[str, float], None]


class DemoError(Exception):
    """A row that ships with the demo was rejected; one sentence."""


@dataclass(frozen=True)
class _DemoTable:
    """`iter_batches` makes the same batches at each call; `write_rows` is the action that stores one."""

    name: str
    iter_batches: Callable[[], Iterator[Sequence[Any]]]
    write_rows: Callable[[Scope, Sequence[Any]], Any]


def load_records(
    spec: DemoSpec,
    tenant: TenantRef,
    progress: DemoLoadState,
    report: DemoProgressCallback,
    *,
    data: Path = DATA_DIRECTORY,
) -> None:
    """Loads all batches that `progress` does not count as committed.

    Args:
        spec: the demo tenant.
        tenant: where its rows go.
        progress: updated after each batch.
        report: receives a text and the fraction of all rows.
        data: folder of the demo's Parquet files.

    Raises:
        DemoError: a row was rejected.
        DomainError: from the actions.
    """
    retention = _prepare_tenant(spec, tenant)
    records = DemoRecords(spec, progress.loaded_at, retention, data)
    tables = (
        _DemoTable("items", records.iter_items, catalog.upsert_items),
        _DemoTable("profiles", records.iter_profiles, profiles.upsert_profiles),
        _DemoTable("events", records.iter_events, events.record_events),
        _DemoTable("reviews", records.iter_reviews, reviews.record_reviews),
    )
    total = records.count_rows()
    n_rows = 0
    for table in tables:
        n_committed = progress.committed_batches.get(table.name, 0)
        n_rows += BATCH_SIZE * n_committed
        for batch in islice(table.iter_batches(), n_committed, None):
            _write_batch(table, tenant, batch)
            progress.record_batch(table.name)
            n_rows += len(batch)
            # Committed batches may be shorter than BATCH_SIZE, so the sum can exceed the total.
            report(f"{spec.name_en}: {table.name}", min(n_rows / total, 1.0))


def _prepare_tenant(spec: DemoSpec, tenant: TenantRef) -> timedelta:
    """Sets the weights of the tenant's own event kinds; returns its event retention."""
    with scope(tenant, actor=ACTOR) as s:
        state = tenant_state.get_state(s)
        weights = {}
        for kind in spec.kind_weights:
            if kind in state.event_kinds:
                weights[kind] = state.event_kinds[kind].weight
        # Only when they differ, because each change is an audit entry.
        if weights != spec.kind_weights:
            tenant_settings.set_kind_weights(s, spec.kind_weights)
        return timedelta(days=state.privacy.event_retention_days)


def _write_batch(table: _DemoTable, tenant: TenantRef, batch: Sequence[Any]) -> None:
    with scope(tenant, actor=ACTOR) as s:
        rejected: list[RowError] = table.write_rows(s, batch).rejected
        # Raised inside the scope, so that nothing of the batch is committed.
        if rejected:
            raise DemoError(f"A row of {table.name} was refused: {rejected[0].code}, {rejected[0].detail}")
