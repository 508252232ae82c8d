"""How much work a fit may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from recommender.algorithms.base import Recommender
from recommender.algorithms.content import Content
from recommender.algorithms.convolutional_training import ConvolutionalTrainer
from recommender.algorithms.ease import Ease, EaseConfig
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.recurrent_training import RecurrentTrainer
from recommender.algorithms.sequence import SequenceConfig
from recommender.algorithms.sequence_training import SequenceTrainer
from recommender.algorithms.transitions import Transitions
from recommender.types import Report

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
    "transitions": 0.02,
    "content": 0.05,
    "ease": 0.2,
    "sequence": 1.0,
}


def new_members(profile: Profile, report: Report) -> dict[str, Callable[[], Recommender[Any]]]:
    """Makers of unfitted members by name, quickest first; `report` hears how far the slow ones are."""
    effort = EFFORTS[profile]
    return {
        "popularity": Popularity,
        "transitions": Transitions,
        "content": Content,
        "ease": lambda: Ease(effort.ease),
        "sequence": lambda: SequenceTrainer(effort.sequence, report=report),
    }


# Members of no profile, for who asks for them by name; each maker takes the report of the fit.
OPTIONAL_MEMBERS: Mapping[str, Callable[[Report], Recommender[Any]]] = {
    "convolutional": lambda report: ConvolutionalTrainer(report=report),
    "recurrent": lambda report: RecurrentTrainer(report=report),
}
