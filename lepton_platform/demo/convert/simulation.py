"""Simulated visits for sources without user ids. Every event has the scenario "simulated".

A visitor has one favourite group, drawn by the caller from real reviews, and views items of that group, of the wider
group or of all, with probability proportional to the items' weights. Some views lead to further kinds of events.
Metrics of models trained on such events are no evidence of quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from lepton_platform.demo.convert.tables import cast_to_schema

# Simulated times end here; `DemoRecords` shifts them to the time of the first load.
SIMULATION_END = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class VisitorParameters:
    """`steps`: kinds after a view, each with the probability that the previous step leads to it."""

    steps: tuple[tuple[str, float], ...]
    mean_views: float = 9.0
    same_group_probability: float = 0.65
    wider_group_probability: float = 0.25
    period: timedelta = timedelta(days=120)


@dataclass(frozen=True)
class ItemPool:
    """Items as parallel arrays of shape (n_items,); `weight` is proportional to the probability of a view."""

    ids: np.ndarray
    group: np.ndarray
    wider_group: np.ndarray
    weight: np.ndarray

    @classmethod
    def from_frame(cls, items: pl.DataFrame) -> ItemPool:
        """Reads the columns id, group, wider and weight."""
        return cls(
            ids=items["id"].to_numpy(),
            group=items["group"].to_numpy(),
            wider_group=items["wider"].to_numpy(),
            weight=items["weight"].to_numpy(),
        )

    def draw_items(self, mask: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Item positions, shape (count,), drawn with replacement among the items of the mask."""
        weights = np.where(mask, self.weight, 0.0)
        return rng.choice(len(self.ids), size=count, p=weights / weights.sum())


def simulate_visits(
    item_pool: ItemPool,
    favourites: list[str],
    parameters: VisitorParameters,
    *,
    prefix: str,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Simulates one visitor for each favourite group.

    Args:
        item_pool: the items.
        favourites: favourite group of each visitor.
        parameters: behaviour, the same for all visitors.
        prefix: visitors are named `prefix`-0001 and so on.
        rng: source of randomness.

    Returns:
        Events with the columns of EVENT_SCHEMA, ordered by profile and time.
    """
    rows = []
    for number, favourite in enumerate(favourites, 1):
        rows += _simulate_visitor(f"{prefix}-{number:04d}", favourite, item_pool, parameters, rng)
    columns = ["id", "profile_id", "item_id", "kind", "at"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(scenario=pl.lit("simulated"))
    return cast_to_schema(frame, "events").sort("profile_id", "at", "id")


def _simulate_visitor(
    name: str,
    favourite: str,
    item_pool: ItemPool,
    parameters: VisitorParameters,
    rng: np.random.Generator,
) -> list[tuple[str, str, str, str, datetime]]:
    """Rows of (id, profile_id, item_id, kind, at)."""
    # At least three views; the mean is still `mean_views`.
    views = 3 + rng.poisson(parameters.mean_views - 3)
    chosen = _choose_items(favourite, views, item_pool, parameters, rng)
    rows = []
    times = _draw_times(views, parameters, rng)
    for number, (position, at) in enumerate(zip(chosen, times, strict=True)):
        item_id = str(item_pool.ids[position])
        rows.append((f"{name}:{number}:view", name, item_id, "view", at))
        for step, (kind, probability) in enumerate(parameters.steps, 1):
            if rng.random() >= probability:
                break
            later = at + timedelta(seconds=45 * step)
            rows.append((f"{name}:{number}:{kind}", name, item_id, kind, later))
    return rows


def _choose_items(
    favourite: str,
    count: int,
    item_pool: ItemPool,
    parameters: VisitorParameters,
    rng: np.random.Generator,
) -> np.ndarray:
    """Item positions, shape (count,). All three kinds are drawn, and later ones overwrite earlier ones."""
    in_group = item_pool.group == favourite
    in_wider = np.isin(item_pool.wider_group, item_pool.wider_group[in_group])
    reach = rng.random(count)
    chosen = item_pool.draw_items(np.ones_like(in_group), count, rng)
    wider_limit = parameters.same_group_probability + parameters.wider_group_probability
    is_near = reach < wider_limit
    chosen[is_near] = item_pool.draw_items(in_wider, int(is_near.sum()), rng)
    is_favourite = reach < parameters.same_group_probability
    chosen[is_favourite] = item_pool.draw_items(in_group, int(is_favourite.sum()), rng)
    return chosen


def _draw_times(count: int, parameters: VisitorParameters, rng: np.random.Generator) -> list[datetime]:
    """Ascending times in one to three sessions of 40 minutes, spread over the period."""
    sessions = rng.uniform(0, parameters.period.total_seconds(), size=1 + rng.integers(0, 3))
    minutes = rng.uniform(0, 40, size=count)
    session_of_view = rng.integers(0, len(sessions), size=count)
    seconds_before_end = sessions[session_of_view] + minutes * 60
    times = []
    # Descending seconds before the end are ascending times.
    for seconds in np.sort(seconds_before_end)[::-1].tolist():
        times.append(SIMULATION_END - timedelta(seconds=round(seconds)))
    return times
