"""How much work a fit may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from recommender.algorithms.base import Recommender
from recommender.algorithms.content import Content
from recommender.algorithms.convolutional_training import ConvolutionalTrainer
from recommender.algorithms.ease import Ease, EaseConfig
from recommender.algorithms.factors_training import FactorsTrainer
from recommender.algorithms.features_training import FeaturesTrainer
from recommender.algorithms.item_neighbours import ItemNeighbours
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.recent_popularity import RecentPopularity
from recommender.algorithms.recurrent_training import RecurrentTrainer
from recommender.algorithms.reputation import Reputation
from recommender.algorithms.sequence import SequenceConfig
from recommender.algorithms.sequence_training import SequenceTrainer
from recommender.algorithms.transitions import Transitions
from recommender.types import DataError, Report

Profile = Literal["fast", "full"]


@dataclass(frozen=True)
class Effort:
    """most_cases bounds how many hidden events the blend is learned from and judged by."""

    sequence: SequenceConfig
    ease: EaseConfig
    most_cases: int


EFFORTS: Mapping[Profile, Effort] = {
    "full": Effort(SequenceConfig(), EaseConfig(), most_cases=30_000),
    "fast": Effort(
        SequenceConfig(learning_rate=3e-3, epochs=20, refit_epochs=1, most_positions=1_000_000),
        EaseConfig(dense_items=8_000),
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
    "features": 0.1,
    "factors": 0.1,
    "ease": 0.2,
    "sequence": 1.0,
    "recurrent": 1.5,
    "convolutional": 1.5,
}

# What has earned its place in the blend; the others are fitted where they are asked for by name.
OF_EVERY_PROFILE = ("popularity", "transitions", "content", "ease", "sequence")
MEMBERS: Mapping[Profile, tuple[str, ...]] = {"full": OF_EVERY_PROFILE, "fast": OF_EVERY_PROFILE}
OPTIONAL_MEMBERS = tuple(name for name in SHARES if name not in OF_EVERY_PROFILE)

Makers = dict[str, Callable[[], Recommender[Any]]]


def new_members(profile: Profile, report: Report, names: Sequence[str] = ()) -> Makers:
    """Makers of unfitted members by name, quickest first; `report` hears how far the slow ones are.

    Those of the profile where no names are given. Raises DataError for a name that no member has."""
    makers = _makers(EFFORTS[profile], report)
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise DataError(f"There is no member {unknown[0]!r}; there are {', '.join(makers)}.")
    chosen = names or MEMBERS[profile]
    return {name: make for name, make in makers.items() if name in chosen}


def _makers(effort: Effort, report: Report) -> Makers:
    return {
        "popularity": Popularity,
        "recent_popularity": RecentPopularity,
        "reputation": Reputation,
        "transitions": Transitions,
        "item_neighbours": ItemNeighbours,
        "content": Content,
        "features": FeaturesTrainer,
        "factors": lambda: FactorsTrainer(report=report),
        "ease": lambda: Ease(effort.ease),
        "sequence": lambda: SequenceTrainer(effort.sequence, report=report),
        "recurrent": lambda: RecurrentTrainer(report=report),
        "convolutional": lambda: ConvolutionalTrainer(report=report),
    }
