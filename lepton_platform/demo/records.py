"""The demo tables as the inputs of a tenant's space, moved to the present.

A vertical keeps events for a limited time and the sources are years old: every time is moved forward by the
same whole number of weeks, so that the newest event lies within the week before the load. What is older than
the tenant keeps is left out.
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
# Room between the load and the moment when the oldest events reach their limit.
MARGIN = timedelta(days=3)
_DAYS_AGO_SUFFIX, _DATE_SUFFIX = "_days_ago", "_on"


@dataclass(frozen=True)
class DemoRecords:
    """`loaded_at`: when the first load began; a resumed load with the same moment gets the same rows."""

    spec: DemoSpec
    loaded_at: datetime
    retention: timedelta
    data_directory: Path = DATA_DIRECTORY

    def iter_items(self) -> Iterator[list[ItemInput]]:
        frame = self._read_table("items")
        if self.spec.only_items_with_events:
            frame = frame.join(
                self._events.select(id="item_id").unique(), on="id", how="semi", maintain_order="left"
            )
        for rows in _iter_batches(frame):
            yield [ItemInput(**row | {"attributes": json.loads(row["attributes"])}) for row in rows]

    def iter_profiles(self) -> Iterator[list[ProfileInput]]:
        """Those with events only: nothing else is known about the others here."""
        used = self._events.select(id="profile_id").unique()
        for rows in _iter_batches(
            self._read_table("profiles").join(used, on="id", how="semi", maintain_order="left")
        ):
            yield [
                ProfileInput(**row | {"attributes": self._resolve_dates(row["attributes"])}) for row in rows
            ]

    def iter_events(self) -> Iterator[list[EventInput]]:
        """Ordered by profile, then time, so that a profile's history lies in few chunks."""
        for rows in _iter_batches(self._events):
            yield [EventInput(**row) for row in rows]

    def iter_reviews(self) -> Iterator[list[ReviewInput]]:
        if not self._get_path("reviews").exists():
            return
        for rows in _iter_batches(self._read_table("reviews")):
            yield [ReviewInput(**row, at=self.loaded_at) for row in rows]

    def count_rows(self) -> int:
        """About how many rows there are in all tables."""
        reviews = self._read_table("reviews").height if self._get_path("reviews").exists() else 0
        return (
            self._read_table("items").height
            + self._events["profile_id"].n_unique()
            + self._events.height
            + reviews
        )

    @cached_property
    def _events(self) -> pl.DataFrame:
        events = self._read_table("events")
        if self.spec.events_before is not None:
            events = events.filter(pl.col("at") < self.spec.events_before)
        moved = events.with_columns(pl.col("at") + self._calculate_shift(events["at"].max()))
        return moved.filter(pl.col("at") > self.loaded_at - self.retention + MARGIN)

    def _calculate_shift(self, newest: Any) -> timedelta:
        age: timedelta = self.loaded_at - newest
        return age // WEEK * WEEK

    def _resolve_dates(self, attributes: str) -> dict[str, Any]:
        """`x_days_ago: 30` becomes `x_on: <date>`."""
        stated: dict[str, Any] = json.loads(attributes)
        for name in [name for name in stated if name.endswith(_DAYS_AGO_SUFFIX)]:
            day = self.loaded_at - timedelta(days=stated.pop(name))
            stated[name.removesuffix(_DAYS_AGO_SUFFIX) + _DATE_SUFFIX] = day.date().isoformat()
        return stated

    def _read_table(self, table: str) -> pl.DataFrame:
        return pl.read_parquet(self._get_path(table))

    def _get_path(self, table: str) -> Path:
        return self.data_directory / self.spec.folder / f"{table}.parquet"


def _iter_batches(frame: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    for part in frame.iter_slices(BATCH_SIZE):
        yield [
            {name: value for name, value in row.items() if value is not None}
            for row in part.iter_rows(named=True)
        ]
