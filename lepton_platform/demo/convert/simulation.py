"""Visits that never happened, for sources without user ids. Every event carries the scenario "simulated".

A visitor has one favourite group (drawn by the caller from real reviews) and looks at items of that group,
of the wider group around it or of anything, more often at what was reviewed more often; a few views go on
to the next kinds. Nothing learned from such events says anything about the quality of a recommendation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from lepton_platform.demo.convert.tables import conform

# Simulated times are relative: the loader moves this moment to the day of the first load.
END = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Behaviour:
    """`steps`: each next kind with the chance that the previous step leads to it."""

    steps: tuple[tuple[str, float], ...]
    mean_views: float = 9.0
    same_group: float = 0.65
    same_wider: float = 0.25
    period: timedelta = timedelta(days=120)


@dataclass(frozen=True)
class Shelf:
    """Items as parallel arrays; a larger weight is seen more often."""

    ids: np.ndarray
    group: np.ndarray
    wider: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, items: pl.DataFrame) -> Shelf:
        """From columns id, group, wider, weight."""
        return cls(*(items[name].to_numpy() for name in ("id", "group", "wider", "weight")))

    def draw(self, mask: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        chance = np.where(mask, self.weight, 0.0)
        return rng.choice(len(self.ids), size=count, p=chance / chance.sum())


def visits(
    shelf: Shelf, favourites: list[str], behaviour: Behaviour, *, prefix: str, rng: np.random.Generator
) -> pl.DataFrame:
    """One visitor for each favourite group, named `prefix`-0001 and so on."""
    rows = [
        row
        for number, favourite in enumerate(favourites, 1)
        for row in _visitor(f"{prefix}-{number:04d}", favourite, shelf, behaviour, rng)
    ]
    columns = ["id", "profile_id", "item_id", "kind", "at"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(scenario=pl.lit("simulated"))
    return conform(frame, "events").sort("profile_id", "at", "id")


def _visitor(
    name: str, favourite: str, shelf: Shelf, behaviour: Behaviour, rng: np.random.Generator
) -> list[tuple[str, str, str, str, datetime]]:
    views = 3 + rng.poisson(behaviour.mean_views - 3)
    chosen = _chosen(favourite, views, shelf, behaviour, rng)
    rows = []
    for number, (item, at) in enumerate(zip(chosen, _moments(views, behaviour, rng), strict=True)):
        rows.append((f"{name}:{number}:view", name, str(shelf.ids[item]), "view", at))
        for step, (kind, chance) in enumerate(behaviour.steps, 1):
            if rng.random() >= chance:
                break
            later = at + timedelta(seconds=45 * step)
            rows.append((f"{name}:{number}:{kind}", name, str(shelf.ids[item]), kind, later))
    return rows


def _chosen(
    favourite: str, count: int, shelf: Shelf, behaviour: Behaviour, rng: np.random.Generator
) -> np.ndarray:
    in_group = shelf.group == favourite
    in_wider = np.isin(shelf.wider, shelf.wider[in_group])
    reach = rng.random(count)
    chosen = shelf.draw(np.ones_like(in_group), count, rng)
    near = reach < behaviour.same_group + behaviour.same_wider
    chosen[near] = shelf.draw(in_wider, int(near.sum()), rng)
    nearest = reach < behaviour.same_group
    chosen[nearest] = shelf.draw(in_group, int(nearest.sum()), rng)
    return chosen


def _moments(count: int, behaviour: Behaviour, rng: np.random.Generator) -> list[datetime]:
    """Two or three sittings spread over the period, views a few minutes apart, in order."""
    sittings = rng.uniform(0, behaviour.period.total_seconds(), size=1 + rng.integers(0, 3))
    minutes = rng.uniform(0, 40, size=count)
    before = sittings[rng.integers(0, len(sittings), size=count)] + minutes * 60
    return [END - timedelta(seconds=round(float(seconds))) for seconds in np.sort(before)[::-1]]
