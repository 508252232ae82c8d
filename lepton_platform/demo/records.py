"""Reads the demo tables as the input structs of `tenants.data.types`, with times moved to the present.

The sources are years old, and a vertical keeps events for a limited time. All times are shifted by the same number
of whole weeks (which keeps weekdays), so that the newest event is within the week before the load. Events that the
tenant would not keep are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from lepton_platform.demo.specs import DemoSpec
from tenants.data.types import EventInput, ItemInput, ProfileInput, ReviewInput

DATA_DIRECTORY = Path(__file__).parent / "data"
BATCH_SIZE = 1_000
WEEK = timedelta(days=7)
# Events that would exceed the retention within this time after the load are not loaded.
MARGIN = timedelta(days=3)
_DAYS_AGO_SUFFIX, _DATE_SUFFIX = "_days_ago", "_on"


@dataclass(frozen=True)
class DemoRecords:
    """The rows of one demo tenant.

    `loaded_at`: when the first load began; a resumed load passes the same time, so that it gets the same rows. `retention`:
    how long the tenant keeps events.
    """

    spec: DemoSpec
    loaded_at: datetime
    retention: timedelta
    data_directory: Path = DATA_DIRECTORY

    def iter_items(self) -> Iterator[list[ItemInput]]:
        """Batches of items in file order."""
        frame = self._read_table("items")
        if self.spec.only_items_with_events:
            frame = self._keep_with_events(frame, "item_id")
        for rows in _iter_batches(frame):
            batch = []
            for row in rows:
                attributes = json.loads(row["attributes"])
                batch.append(ItemInput(**{**row, "attributes": attributes}))
            yield batch

    def iter_profiles(self) -> Iterator[list[ProfileInput]]:
        """Batches of the profiles that have events; the others would have no recommendations of their own."""
        frame = self._keep_with_events(self._read_table("profiles"), "profile_id")
        for rows in _iter_batches(frame):
            batch = []
            for row in rows:
                attributes = self._resolve_dates(row["attributes"])
                batch.append(ProfileInput(**{**row, "attributes": attributes}))
            yield batch

    def iter_events(self) -> Iterator[list[EventInput]]:
        """Batches of events in file order. The files are sorted by profile, then time: a profile is then stored in few chunks."""
        # Columns of the file are fields of EventInput.
        for rows in _iter_batches(self._events):
            yield [EventInput(**row) for row in rows]

    def iter_reviews(self) -> Iterator[list[ReviewInput]]:
        """Batches of reviews; none if the tenant has no reviews. The sources give no times, so each review gets `loaded_at`."""
        if not self._get_path("reviews").exists():
            return
        for rows in _iter_batches(self._read_table("reviews")):
            yield [ReviewInput(**row, at=self.loaded_at) for row in rows]

    def count_rows(self) -> int:
        """Upper bound of the number of rows of all batches, for progress reports."""
        n_rows = (
            self._read_table("items").height + self._events["profile_id"].n_unique() + self._events.height
        )
        if self._get_path("reviews").exists():
            n_rows += self._read_table("reviews").height
        return n_rows

    @cached_property
    def _events(self) -> pl.DataFrame:
        """The events with shifted times, within retention."""
        events = self._read_table("events")
        if self.spec.events_before is not None:
            events = events.filter(pl.col("at") < self.spec.events_before)
        shifted = events.with_columns(pl.col("at") + self._calculate_shift(events["at"].max()))
        return shifted.filter(pl.col("at") > self.loaded_at - self.retention + MARGIN)

    def _calculate_shift(self, newest: Any) -> timedelta:
        age: timedelta = self.loaded_at - newest
        # timedelta // timedelta is the integer number of whole weeks.
        return age // WEEK * WEEK

    def _keep_with_events(self, frame: pl.DataFrame, event_column: str) -> pl.DataFrame:
        """Rows whose id occurs in a column of the events."""
        used_ids = self._events.select(id=event_column).unique()
        return frame.join(used_ids, on="id", how="semi", maintain_order="left")

    def _resolve_dates(self, attributes_json: str) -> dict[str, Any]:
        """Parses the attributes and replaces `x_days_ago: 30` by `x_on: <date>`."""
        attributes: dict[str, Any] = json.loads(attributes_json)
        for name in list(attributes):
            if name.endswith(_DAYS_AGO_SUFFIX):
                date = self.loaded_at - timedelta(days=attributes.pop(name))
                attributes[name.removesuffix(_DAYS_AGO_SUFFIX) + _DATE_SUFFIX] = date.date().isoformat()
        return attributes

    def _read_table(self, table: str) -> pl.DataFrame:
        return pl.read_parquet(self._get_path(table))

    def _get_path(self, table: str) -> Path:
        return self.data_directory / self.spec.folder / f"{table}.parquet"


def _iter_batches(frame: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """Batches of rows without their null values, so that the inputs' defaults apply."""
    for batch in frame.iter_slices(BATCH_SIZE):
        rows = []
        for row in batch.iter_rows(named=True):
            rows.append({name: value for name, value in row.items() if value is not None})
        yield rows
