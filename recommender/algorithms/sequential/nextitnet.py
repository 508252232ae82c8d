"""The served half of the convolutional network. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.algorithms.sequential.sasrec import (
    LearningRateSchedule,
    OnnxSequentialModel,
    SequentialConfig,
)


@dataclass(frozen=True)
class NextItNetConfig(SequentialConfig):
    """Block b sees `taps` events, 2 ** b steps apart; together the blocks see 1 + (taps - 1)(2 ** blocks - 1)."""

    blocks: int = 2
    batch_size: int = 256
    learning_rate: float = 4e-3
    schedule: LearningRateSchedule = "one-cycle"
    epochs: int = 30
    kernel_size: int = 5


class NextItNet(OnnxSequentialModel[NextItNetConfig]):
    """Causal dilated convolutions along the history: Yuan et al., NextItNet, WSDM 2019."""

    name = "convolutional"
    label = "Convolutional network (NextItNet)"
    relative_cost = 1.5
    config_type = NextItNetConfig
