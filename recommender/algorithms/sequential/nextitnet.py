"""The serving half of NextItNet. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.algorithms.sequential.base import (
    LearningRateSchedule,
    OnnxSequentialModel,
    SequentialConfig,
)


@dataclass(frozen=True)
class NextItNetConfig(SequentialConfig):
    """Parameters of `NextItNet`, in addition to those of `SequentialConfig`.

    kernel_size: Events that block b reads, 2 ** b steps apart. Together the blocks read
        1 + (kernel_size - 1) * (2 ** blocks - 1) events.
    """

    blocks: int = 2
    batch_size: int = 256
    learning_rate: float = 4e-3
    schedule: LearningRateSchedule = "one-cycle"
    epochs: int = 30
    kernel_size: int = 5


class NextItNet(OnnxSequentialModel[NextItNetConfig]):
    """Causal dilated convolutions over the history: Yuan et al., NextItNet, WSDM 2019."""

    name = "convolutional"
    label = "Convolutional network (NextItNet)"
    relative_cost = 1.5
    config_type = NextItNetConfig
