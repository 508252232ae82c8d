"""Loads a file in batches, each a transaction of its own. What was taken stays taken; what was not is returned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from lepton_platform.imports import mapping
from lepton_platform.imports.parsers import FileRow, read_rows
from tenants.data.actions import catalog, events
from tenants.data.types import EventInput, ItemInput, RowError
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

BATCH_SIZE = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not taken: its number in the file, what it held, and why."""

    number: int
    reason: str
    content: str

    def as_json(self) -> str:
        return json.dumps(
            {"row": self.number, "reason": self.reason, "content": self.content}, ensure_ascii=False
        )


@dataclass(slots=True)
class ImportResult:
    """`counts` by what was done: created, updated, unchanged, accepted, duplicates."""

    n_read: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    n_rejected: int = 0

    def add_count(self, name: str, count: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + count


@dataclass(slots=True)
class _RowBatch(Generic[T]):
    inputs: list[T] = field(default_factory=list)
    row_numbers: list[int] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


SaveBatch = Callable[[Scope, list[T], ImportResult], Iterable[RowError]]
RejectCallback = Callable[[RejectedRow], None]


def load_items(
    tenant: TenantRef, path: Path, *, actor: Actor, reject: RejectCallback, report: Callable[[int], None]
) -> ImportResult:
    """Upserts, so running it again changes nothing. Raises Invalid for a file that can't be read."""
    return _load_file(
        tenant, path, mapping.parse_item, _save_items, actor=actor, reject=reject, report=report
    )


def load_events(
    tenant: TenantRef,
    path: Path,
    *,
    kind: str,
    actor: Actor,
    reject: RejectCallback,
    report: Callable[[int], None],
) -> ImportResult:
    """Batches of events with times or ids count once within 24 hours, so an interrupted import can be run again."""

    def parse_event(row: FileRow) -> EventInput:
        return mapping.parse_event(row, default_kind=kind)

    return _load_file(tenant, path, parse_event, _save_events, actor=actor, reject=reject, report=report)


def _save_items(s: Scope, inputs: list[ItemInput], outcome: ImportResult) -> Iterable[RowError]:
    result = catalog.upsert_items(s, inputs)
    for name in ("created", "updated", "unchanged"):
        outcome.add_count(name, getattr(result, name))
    return result.rejected


def _save_events(s: Scope, inputs: list[EventInput], outcome: ImportResult) -> Iterable[RowError]:
    receipt = events.record_events(s, inputs)
    outcome.add_count("accepted", receipt.accepted)
    outcome.add_count("duplicates", receipt.duplicates)
    return receipt.rejected


def _load_file(
    tenant: TenantRef,
    path: Path,
    parse: Callable[[FileRow], T],
    save: SaveBatch[T],
    *,
    actor: Actor,
    reject: RejectCallback,
    report: Callable[[int], None],
) -> ImportResult:
    outcome = ImportResult()

    def reject_row(number: int, reason: str, source: str) -> None:
        outcome.n_rejected += 1
        reject(RejectedRow(number, reason, source))

    with path.open("rb") as stream:
        for batch in _iter_batches(read_rows(path.name, stream), parse, outcome, reject_row):
            with scope(tenant, actor=actor) as s:
                errors = list(save(s, batch.inputs, outcome))
            for error in errors:
                reject_row(batch.row_numbers[error.row], error.detail, batch.sources[error.row])
            report(outcome.n_read)
    report(outcome.n_read)
    return outcome


def _iter_batches(
    numbered_rows: Iterator[tuple[int, FileRow]],
    parse: Callable[[FileRow], T],
    outcome: ImportResult,
    reject_row: Callable[[int, str, str], None],
) -> Iterator[_RowBatch[T]]:
    batch: _RowBatch[T] = _RowBatch()
    for number, row in numbered_rows:
        outcome.n_read += 1
        source = row.strip() if isinstance(row, str) else json.dumps(row, ensure_ascii=False, default=str)
        try:
            batch.inputs.append(parse(row))
        except (ValueError, OverflowError, msgspec.DecodeError) as error:
            reject_row(number, str(error), source)
            continue
        batch.row_numbers.append(number)
        batch.sources.append(source)
        if len(batch.inputs) == BATCH_SIZE:
            yield batch
            batch = _RowBatch()
    if batch.inputs:
        yield batch
