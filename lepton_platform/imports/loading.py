"""Loads a file in batches, each a transaction of its own. What was taken stays taken; what was not is returned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from lepton_platform.imports import mapping
from lepton_platform.imports.reading import Row, rows
from tenants.data.actions import catalog, events
from tenants.data.types import EventInput, ItemInput, RowError
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

BATCH = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken: its number in the file, what it held, and why."""

    number: int
    reason: str
    row: str

    def as_json(self) -> str:
        return json.dumps(
            {"row": self.number, "reason": self.reason, "content": self.row}, ensure_ascii=False
        )


@dataclass(slots=True)
class Outcome:
    """`counts` by what was done: created, updated, unchanged, accepted, duplicates."""

    read: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    rejected: int = 0

    def add(self, name: str, count: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + count


@dataclass(slots=True)
class _Batch(Generic[T]):
    entries: list[T] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


Save = Callable[[Scope, list[T], Outcome], Iterable[RowError]]
Reject = Callable[[Rejected], None]


def load_items(
    tenant: TenantRef, path: Path, *, actor: Actor, reject: Reject, report: Callable[[int], None]
) -> Outcome:
    """Upserts, so running it again changes nothing. Raises Invalid for a file that can't be read."""
    return _load(tenant, path, mapping.item, _save_items, actor=actor, reject=reject, report=report)


def load_events(
    tenant: TenantRef, path: Path, *, kind: str, actor: Actor, reject: Reject, report: Callable[[int], None]
) -> Outcome:
    """Batches of events with times or ids count once within 24 hours, so an interrupted import can be run again."""

    def parse(row: Row) -> EventInput:
        return mapping.event(row, default_kind=kind)

    return _load(tenant, path, parse, _save_events, actor=actor, reject=reject, report=report)


def _save_items(s: Scope, entries: list[ItemInput], outcome: Outcome) -> Iterable[RowError]:
    result = catalog.upsert_items(s, entries)
    for name in ("created", "updated", "unchanged"):
        outcome.add(name, getattr(result, name))
    return result.rejected


def _save_events(s: Scope, entries: list[EventInput], outcome: Outcome) -> Iterable[RowError]:
    receipt = events.record_events(s, entries)
    outcome.add("accepted", receipt.accepted)
    outcome.add("duplicates", receipt.duplicates)
    return receipt.rejected


def _load(
    tenant: TenantRef,
    path: Path,
    parse: Callable[[Row], T],
    save: Save[T],
    *,
    actor: Actor,
    reject: Reject,
    report: Callable[[int], None],
) -> Outcome:
    outcome = Outcome()

    def refuse(number: int, reason: str, source: str) -> None:
        outcome.rejected += 1
        reject(Rejected(number, reason, source))

    with path.open("rb") as stream:
        for batch in _batches(rows(path.name, stream), parse, outcome, refuse):
            with scope(tenant, actor=actor) as s:
                errors = list(save(s, batch.entries, outcome))
            for error in errors:
                refuse(batch.numbers[error.row], error.detail, batch.sources[error.row])
            report(outcome.read)
    report(outcome.read)
    return outcome


def _batches(
    found: Iterator[tuple[int, Row]],
    parse: Callable[[Row], T],
    outcome: Outcome,
    refuse: Callable[[int, str, str], None],
) -> Iterator[_Batch[T]]:
    batch: _Batch[T] = _Batch()
    for number, row in found:
        outcome.read += 1
        source = row.strip() if isinstance(row, str) else json.dumps(row, ensure_ascii=False, default=str)
        try:
            batch.entries.append(parse(row))
        except (ValueError, OverflowError, msgspec.DecodeError) as error:
            refuse(number, str(error), source)
            continue
        batch.numbers.append(number)
        batch.sources.append(source)
        if len(batch.entries) == BATCH:
            yield batch
            batch = _Batch()
    if batch.entries:
        yield batch
