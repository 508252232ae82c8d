"""The fine-tuning loop, with a network of one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recommender.language.sentiment.finetuning.loop import FinetuneSchedule, train_network
from recommender.types import Int32Array

ROWS = [np.array([number], np.int32) for number in range(33)]
IS_POSITIVE = np.arange(33) % 2 == 0


class LinearNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5))
        self.fixed = nn.Parameter(torch.ones(5), requires_grad=False)

    def forward(self, numbers: Tensor) -> Tensor:
        return numbers @ (self.weight * self.fixed)


def build_inputs(rows: Sequence[Int32Array]) -> Mapping[str, np.ndarray[Any, Any]]:
    numbers = np.array([[1.0] * 5 if row[0] % 2 == 0 else [-1.0] * 5 for row in rows], np.float32)
    return {"numbers": numbers}


def train_weight(epochs: int) -> np.ndarray[Any, Any]:
    """Two batches an epoch, the smaller one of one row."""
    schedule = FinetuneSchedule(epochs, 32, lambda _name: 0.05)
    averages = train_network(
        LinearNetwork(),
        ROWS,
        IS_POSITIVE,
        build_inputs=build_inputs,
        schedule=schedule,
        rng=np.random.default_rng(0),
    )
    assert set(averages) == {"weight"}
    return averages["weight"]


def test_trainable_parameters_are_trained() -> None:
    assert (train_weight(epochs=20) > 0.1).all()


def test_the_last_step_is_part_of_the_average() -> None:
    """The average of four steps differs from that of two."""
    assert np.abs(train_weight(epochs=1)).min() > 0
    assert np.abs(train_weight(epochs=2) - train_weight(epochs=1)).max() > 1e-3
