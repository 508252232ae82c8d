"""How much work a fit may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from recommender.algorithms.base import Recommender
from recommender.algorithms.content import Content
from recommender.algorithms.convolutional_training import ConvolutionalTrainer
from recommender.algorithms.ease import Ease
from recommender.algorithms.ensemble import ORDERED
from recommender.algorithms.factors_training import FactorsTrainer
from recommender.algorithms.features_training import FeaturesTrainer
from recommender.algorithms.item_neighbours import ItemNeighbours
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.look import Look
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.ranges import sound
from recommender.algorithms.recent_popularity import RecentPopularity
from recommender.algorithms.recurrent_training import RecurrentTrainer
from recommender.algorithms.reputation import Reputation
from recommender.algorithms.sequence import SequenceConfig
from recommender.algorithms.sequence_training import SequenceTrainer
from recommender.algorithms.transitions import Transitions
from recommender.dataset import Dataset
from recommender.types import DataError, Report

Profile = Literal["fast", "full"]


@dataclass(frozen=True)
class Effort:
    """most_cases bounds how many hidden events the blend is learned from and judged by."""

    sequence: SequenceConfig
    most_cases: int


EFFORTS: Mapping[Profile, Effort] = {
    "full": Effort(SequenceConfig(), most_cases=30_000),
    "fast": Effort(
        SequenceConfig(learning_rate=3e-3, epochs=20, refit_epochs=1, most_positions=1_000_000),
        most_cases=4_000,
    ),
}

# About how long each member takes beside the others, for honest percentages.
SHARES: Mapping[str, float] = {
    "popularity": 0.01,
    "recent_popularity": 0.01,
    "reputation": 0.01,
    "transitions": 0.02,
    "item_neighbours": 0.02,
    "content": 0.05,
    "look": 0.05,
    "knowledge": 0.05,
    "features": 0.1,
    "factors": 0.1,
    "ease": 0.2,
    "sequence": 1.0,
    "recurrent": 1.5,
    "convolutional": 1.5,
}

# What has earned its place in the blend; the others are fitted where they are asked for by name.
QUICK_MEMBERS = ("popularity", "transitions", "item_neighbours", "content", "factors", "ease", "sequence")
MEMBERS: Mapping[Profile, tuple[str, ...]] = {
    "full": (*QUICK_MEMBERS, "recurrent", "convolutional"),
    "fast": QUICK_MEMBERS,
}
OPTIONAL_MEMBERS = tuple(name for name in SHARES if name not in MEMBERS["full"])

Make = Callable[[], Recommender[Any]]
Makers = dict[str, Make]
Changes = Mapping[str, Mapping[str, Any]]
"""By member, the settings that differ from the defaults."""
NO_CHANGES: Changes = {}
READ_THE_ORDER = ORDERED | {Transitions.name}
_ALL_COUNT = {"decay": 1.0, "history": 500}
# Without fading a whole history has the confidence that its latest events have else.
UNORDERED: Changes = {
    "item_neighbours": _ALL_COUNT,
    "content": _ALL_COUNT,
    "ease": _ALL_COUNT,
    "factors": {**_ALL_COUNT, "confidence": 5.0},
}


def of_data(dataset: Dataset) -> tuple[str, ...]:
    """Members of every profile wherever the data has what they read."""
    there = {
        Look.name: dataset.look is not None,
        Knowledge.name: bool(dataset.links and any(dataset.links)),
        Reputation.name: dataset.opinions is not None,
    }
    return tuple(name for name, found in there.items() if found)


def usual_members(profile: Profile, dataset: Dataset) -> tuple[str, ...]:
    """Those of the profile and of what the data has; without an order none that reads one."""
    names = (*MEMBERS[profile], *of_data(dataset))
    return names if dataset.ordered else tuple(name for name in names if name not in READ_THE_ORDER)


def new_members(
    profile: Profile,
    report: Report,
    names: Sequence[str] = (),
    *,
    changes: Changes = NO_CHANGES,
    ordered: bool = True,
) -> Makers:
    """Makers of unfitted members by name, quickest first; `report` hears how far the slow ones are.

    Those of the profile where no names are given. `changes` are settings of members that differ from the profile's;
    what this version cannot set is passed over. Where events are not `ordered`, none fades, and no member that reads an
    order is made unasked. Raises DataError for a name that no member has."""
    makers = _makers(EFFORTS[profile], report)
    if not ordered:
        makers |= {name: _with(makers[name], settings) for name, settings in UNORDERED.items()}
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise DataError(f"There is no member {unknown[0]!r}; there are {', '.join(makers)}.")
    chosen = names or [name for name in MEMBERS[profile] if ordered or name not in READ_THE_ORDER]
    return {
        name: with_changes(make, changes.get(name, {})) for name, make in makers.items() if name in chosen
    }


def with_changes(make: Make, changes: Mapping[str, Any]) -> Make:
    """A maker of the same member with some settings changed."""
    return _with(make, changes, may=sound) if changes else make


def _with(
    make: Make,
    settings: Mapping[str, Any],
    may: Callable[[type[Any], Mapping[str, Any]], Mapping[str, Any]] = lambda _kind, given: given,
) -> Make:
    def made() -> Recommender[Any]:
        model = make()
        model.config = replace(model.config, **may(type(model.config), settings))
        return model

    return made


def _makers(effort: Effort, report: Report) -> Makers:
    return {
        "popularity": Popularity,
        "recent_popularity": RecentPopularity,
        "reputation": Reputation,
        "transitions": Transitions,
        "item_neighbours": ItemNeighbours,
        "content": Content,
        "look": Look,
        "knowledge": Knowledge,
        "features": FeaturesTrainer,
        "factors": lambda: FactorsTrainer(report=report),
        "ease": Ease,
        "sequence": lambda: SequenceTrainer(effort.sequence, report=report),
        "recurrent": lambda: RecurrentTrainer(report=report),
        "convolutional": lambda: ConvolutionalTrainer(report=report),
    }
