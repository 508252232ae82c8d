"""The served half of the recurrent network. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recommender.algorithms.sequence import NextItemConfig, NextItemScorer, Schedule

Cell = Literal["gru", "lstm"]


@dataclass(frozen=True)
class RecurrentConfig(NextItemConfig):
    """`hidden` is what a cell remembers from one event to the next."""

    batch: int = 256
    learning_rate: float = 4e-3
    schedule: Schedule = "one-cycle"
    epochs: int = 25
    cell: Cell = "gru"
    hidden: int = 128


class RecurrentScorer(NextItemScorer[RecurrentConfig]):
    """A GRU (Cho et al., EMNLP 2014) or LSTM along the history: Hidasi et al., GRU4Rec, ICLR 2016."""

    name = "recurrent"
    config_type = RecurrentConfig
