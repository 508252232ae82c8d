"""Loads rows of a file into a tenant: parse, save in batches, each in a transaction of its own.

Committed batches stay when a later one fails. Rejected rows are handed to a callback with their position and error.
The import commands stream a file through `load_file`; the portal parses a whole upload before it saves anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from lepton_platform.imports import mapping
from lepton_platform.imports.parsers import FileRow, read_rows
from tenants.data.actions import catalog, events
from tenants.data.types import EventInput, ItemInput, RowError
from tenants.errors import FieldError
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

BATCH_SIZE = 1_000
UNREADABLE_ROW = "unreadable_row"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not stored.

    `number` is its position in the file, `content` its text. The error's code is UNREADABLE_ROW when the row could
    not be parsed, else the code of the action that refused it.
    """

    number: int
    content: str
    error: FieldError

    def to_json(self) -> str:
        """One JSON line with the fields row, reason and content."""
        values = {"row": self.number, "reason": self.error.detail, "content": self.content}
        return json.dumps(values, ensure_ascii=False)


RejectCallback = Callable[[RejectedRow], None]


@dataclass(frozen=True, slots=True)
class SavedBatch:
    """What an action did: row counts by outcome, and errors whose `row` is a position in the batch."""

    counts: dict[str, int]
    errors: Sequence[RowError]


@dataclass(frozen=True, slots=True)
class ImportFormat(Generic[T]):
    """How rows become inputs and how a batch of inputs is stored.

    `parse_row` raises ValueError, OverflowError or msgspec.DecodeError for a row that does not fit.
    """

    parse_row: Callable[[FileRow], T]
    save_batch: Callable[[Scope, list[T]], SavedBatch]


@dataclass(slots=True)
class RowBatch(Generic[T]):
    """Parsed rows. `row_numbers[i]` and `contents[i]` belong to `inputs[i]`."""

    inputs: list[T] = field(default_factory=list)
    row_numbers: list[int] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ImportResult:
    """Numbers of rows; `counts` by outcome: created, updated, unchanged, accepted, duplicates."""

    n_read: int = 0
    n_rejected: int = 0
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Importer(Generic[T]):
    """One import into one tenant; `result` is updated while it runs."""

    tenant: TenantRef
    actor: Actor
    import_format: ImportFormat[T]
    on_rejected: RejectCallback
    result: ImportResult = field(default_factory=ImportResult)

    def parse_batches(self, numbered_rows: Iterable[tuple[int, FileRow]]) -> Iterator[RowBatch[T]]:
        """Batches of at most BATCH_SIZE parsed rows, in file order. Rows that can't be parsed are rejected."""
        batch: RowBatch[T] = RowBatch()
        for number, row in numbered_rows:
            self.result.n_read += 1
            content = _format_row(row)
            try:
                batch.inputs.append(self.import_format.parse_row(row))
            except (ValueError, OverflowError, msgspec.DecodeError) as error:
                self._reject_row(number, content, FieldError("", UNREADABLE_ROW, str(error)))
                continue
            # Appended only after parsing has succeeded, so that the three lists stay parallel.
            batch.row_numbers.append(number)
            batch.contents.append(content)
            if len(batch.inputs) == BATCH_SIZE:
                yield batch
                batch = RowBatch()
        if batch.inputs:
            yield batch

    def save_batch(self, batch: RowBatch[T]) -> None:
        """Stores one batch in one transaction. Raises the action's DomainError, and then stores nothing of it."""
        # One transaction a batch: an interrupted import keeps what is committed, and locks are held briefly.
        with scope(self.tenant, actor=self.actor) as s:
            saved = self.import_format.save_batch(s, batch.inputs)
        for outcome, count in saved.counts.items():
            self.result.counts[outcome] = self.result.counts.get(outcome, 0) + count
        for error in saved.errors:
            field_error = FieldError(error.pointer, error.code, error.detail)
            self._reject_row(batch.row_numbers[error.row], batch.contents[error.row], field_error)

    def _reject_row(self, number: int, content: str, error: FieldError) -> None:
        self.result.n_rejected += 1
        self.on_rejected(RejectedRow(number, content, error))


def load_file(
    tenant: TenantRef,
    path: Path,
    import_format: ImportFormat[T],
    *,
    actor: Actor,
    on_rejected: RejectCallback,
    on_progress: Callable[[int], None],
) -> ImportResult:
    """Streams a file into the tenant in bounded memory.

    Args:
        tenant: where the rows go.
        path: a CSV, TSV, JSON lines or Parquet file.
        import_format: `get_item_format()` or `get_event_format(...)`.
        actor: named in the audit log.
        on_rejected: receives each rejected row.
        on_progress: receives the number of rows read, after each batch and at the end.

    Raises:
        Invalid: the file can't be read (further); batches before are stored.
    """
    importer = Importer(tenant, actor, import_format, on_rejected)
    with path.open("rb") as stream:
        for batch in importer.parse_batches(read_rows(path.name, stream)):
            importer.save_batch(batch)
            on_progress(importer.result.n_read)
    on_progress(importer.result.n_read)
    return importer.result


def get_item_format() -> ImportFormat[ItemInput]:
    """Items are upserted, so importing a file again changes nothing."""
    return ImportFormat(mapping.parse_item, _save_items)


def get_event_format(default_kind: str) -> ImportFormat[EventInput]:
    """Events; `default_kind` is for rows without a kind.

    Events with times or ids are deduplicated for 24 hours, so an interrupted import can be repeated.
    """
    return ImportFormat(partial(mapping.parse_event, default_kind=default_kind), _save_events)


def _save_items(s: Scope, inputs: list[ItemInput]) -> SavedBatch:
    result = catalog.upsert_items(s, inputs)
    counts = {"created": result.created, "updated": result.updated, "unchanged": result.unchanged}
    return SavedBatch(counts, list(result.rejected))


def _save_events(s: Scope, inputs: list[EventInput]) -> SavedBatch:
    receipt = events.record_events(s, inputs)
    counts = {"accepted": receipt.accepted, "duplicates": receipt.duplicates}
    return SavedBatch(counts, list(receipt.rejected))


def _format_row(row: FileRow) -> str:
    """The row as text, for the list of rejected rows."""
    if isinstance(row, str):
        return row.strip()
    return json.dumps(row, ensure_ascii=False, default=str)
