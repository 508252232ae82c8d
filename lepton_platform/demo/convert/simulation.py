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

from lepton_platform.demo.convert.tables import cast_to_schema

# Simulated times are relative: the loader moves this moment to the day of the first load.
SIMULATION_END = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class VisitorParameters:
    """`steps`: each next kind with the chance that the previous step leads to it."""

    steps: tuple[tuple[str, float], ...]
    mean_views: float = 9.0
    same_group_probability: float = 0.65
    wider_group_probability: float = 0.25
    period: timedelta = timedelta(days=120)


@dataclass(frozen=True)
class ItemPool:
    """Items as parallel arrays; a larger weight is seen more often."""

    ids: np.ndarray
    group: np.ndarray
    wider_group: np.ndarray
    weight: np.ndarray

    @classmethod
    def from_frame(cls, items: pl.DataFrame) -> ItemPool:
        """From columns id, group, wider, weight."""
        return cls(*(items[name].to_numpy() for name in ("id", "group", "wider", "weight")))

    def draw_items(self, mask: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        chance = np.where(mask, self.weight, 0.0)
        return rng.choice(len(self.ids), size=count, p=chance / chance.sum())


def simulate_visits(
    item_pool: ItemPool,
    favourites: list[str],
    parameters: VisitorParameters,
    *,
    prefix: str,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """One visitor for each favourite group, named `prefix`-0001 and so on."""
    rows = [
        row
        for number, favourite in enumerate(favourites, 1)
        for row in _simulate_visitor(f"{prefix}-{number:04d}", favourite, item_pool, parameters, rng)
    ]
    columns = ["id", "profile_id", "item_id", "kind", "at"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(scenario=pl.lit("simulated"))
    return cast_to_schema(frame, "events").sort("profile_id", "at", "id")


def _simulate_visitor(
    name: str, favourite: str, item_pool: ItemPool, parameters: VisitorParameters, rng: np.random.Generator
) -> list[tuple[str, str, str, str, datetime]]:
    views = 3 + rng.poisson(parameters.mean_views - 3)
    chosen = _choose_items(favourite, views, item_pool, parameters, rng)
    rows = []
    for number, (item, at) in enumerate(zip(chosen, _draw_times(views, parameters, rng), strict=True)):
        rows.append((f"{name}:{number}:view", name, str(item_pool.ids[item]), "view", at))
        for step, (kind, chance) in enumerate(parameters.steps, 1):
            if rng.random() >= chance:
                break
            later = at + timedelta(seconds=45 * step)
            rows.append((f"{name}:{number}:{kind}", name, str(item_pool.ids[item]), kind, later))
    return rows


def _choose_items(
    favourite: str, count: int, item_pool: ItemPool, parameters: VisitorParameters, rng: np.random.Generator
) -> np.ndarray:
    in_group = item_pool.group == favourite
    in_wider = np.isin(item_pool.wider_group, item_pool.wider_group[in_group])
    reach = rng.random(count)
    chosen = item_pool.draw_items(np.ones_like(in_group), count, rng)
    near = reach < parameters.same_group_probability + parameters.wider_group_probability
    chosen[near] = item_pool.draw_items(in_wider, int(near.sum()), rng)
    nearest = reach < parameters.same_group_probability
    chosen[nearest] = item_pool.draw_items(in_group, int(nearest.sum()), rng)
    return chosen


def _draw_times(count: int, parameters: VisitorParameters, rng: np.random.Generator) -> list[datetime]:
    """Two or three sittings spread over the period, views a few minutes apart, in order."""
    sittings = rng.uniform(0, parameters.period.total_seconds(), size=1 + rng.integers(0, 3))
    minutes = rng.uniform(0, 40, size=count)
    before = sittings[rng.integers(0, len(sittings), size=count)] + minutes * 60
    return [SIMULATION_END - timedelta(seconds=round(float(seconds))) for seconds in np.sort(before)[::-1]]
