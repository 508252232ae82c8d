"""How much work a fit may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from recommender.algorithms.base import Recommender
from recommender.algorithms.content import Content
from recommender.algorithms.ease import Ease
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.sequence import SequenceConfig
from recommender.algorithms.sequence_training import SequenceTrainer
from recommender.algorithms.transitions import Transitions
from recommender.types import Report

Profile = Literal["fast", "full"]

FULL_SEQUENCE = SequenceConfig()
FAST_SEQUENCE = SequenceConfig(epochs=6, refit_epochs=1, learning_rate=3e-3, most_positions=2_000_000)

# About how long each member takes beside the others, for honest percentages.
EFFORT: Mapping[str, float] = {
    "popularity": 0.01,
    "transitions": 0.02,
    "content": 0.05,
    "ease": 0.2,
    "sequence": 1.0,
}


def new_members(profile: Profile, report: Report) -> dict[str, Callable[[], Recommender[Any]]]:
    """Makers of unfitted members by name, quickest first; `report` hears how far the slow ones are."""
    sequence = FULL_SEQUENCE if profile == "full" else FAST_SEQUENCE
    return {
        "popularity": Popularity,
        "transitions": Transitions,
        "content": Content,
        "ease": Ease,
        "sequence": lambda: SequenceTrainer(sequence, report=report),
    }
