"""The loop that tunes networks, with a network of one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recommender.language.sentiment.finetuning.loop import FinetuneSchedule, train_network
from recommender.types import Int32Array

ROWS = [np.array([number], np.int32) for number in range(33)]
PRAISE = np.arange(33) % 2 == 0


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5))
        self.fixed = nn.Parameter(torch.ones(5), requires_grad=False)

    def forward(self, numbers: Tensor) -> Tensor:
        return numbers @ (self.weight * self.fixed)


def inputs(rows: Sequence[Int32Array]) -> Mapping[str, np.ndarray[Any, Any]]:
    said = np.array([[1.0] * 5 if row[0] % 2 == 0 else [-1.0] * 5 for row in rows], np.float32)
    return {"numbers": said}


def learned(epochs: int) -> np.ndarray[Any, Any]:
    """Two batches an epoch, the smaller one of one row."""
    schedule = FinetuneSchedule(epochs, 32, lambda _name: 0.05)
    found = train_network(
        Small(), ROWS, PRAISE, build_inputs=inputs, schedule=schedule, rng=np.random.default_rng(0)
    )
    assert set(found) == {"weight"}
    return found["weight"]


def test_what_may_learn_learns() -> None:
    assert (learned(epochs=20) > 0.1).all()


def test_the_last_step_counts() -> None:
    """The mean knows more of four steps than of two."""
    assert np.abs(learned(epochs=1)).min() > 0
    assert np.abs(learned(epochs=2) - learned(epochs=1)).max() > 1e-3
