"""The serving half of GRU4Rec. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recommender.algorithms.sequential.base import (
    LearningRateSchedule,
    OnnxSequentialModel,
    SequentialConfig,
)

RecurrentCell = Literal["gru", "lstm"]


@dataclass(frozen=True)
class GRU4RecConfig(SequentialConfig):
    """Parameters of `GRU4Rec`, in addition to those of `SequentialConfig`.

    cell: Kind of the recurrent cell.
    hidden_size: Width of the cell's state.
    """

    batch_size: int = 256
    learning_rate: float = 4e-3
    schedule: LearningRateSchedule = "one-cycle"
    epochs: int = 25
    cell: RecurrentCell = "gru"
    hidden_size: int = 128


class GRU4Rec(OnnxSequentialModel[GRU4RecConfig]):
    """A GRU (Cho et al., EMNLP 2014) or LSTM over the history: Hidasi et al., GRU4Rec, ICLR 2016."""

    name = "recurrent"
    label = "Recurrent network (GRU4Rec)"
    relative_cost = 1.5
    config_type = GRU4RecConfig
