"""Reproducible training with torch: random state, learning rate schedule and weight averaging."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

# Shares of the one-cycle schedule.
_WARM_UP = 0.1
_MIN_RATE = 0.01


class WeightAverager:
    """The mean of a network's weights over several snapshots (Izmailov et al., Averaging Weights, UAI 2018)."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = [weight.detach() for weight in network.parameters()]
        self.sums: list[Tensor] = []
        self.n_snapshots = 0

    def add_snapshot(self) -> None:
        """Adds the current weights to the sum."""
        if not self.sums:
            self.sums = [torch.zeros_like(weight) for weight in self.weights]
        for total, weight in zip(self.sums, self.weights, strict=True):
            total.add_(weight)
        self.n_snapshots += 1

    def install_mean(self) -> None:
        """Replaces the network's weights by the mean; without a snapshot they stay."""
        for total, weight in zip(
            self.sums,
            self.weights,
            strict=bool(self.sums),
        ):
            weight.copy_(total / self.n_snapshots)


@contextmanager
def deterministic_torch(rng: np.random.Generator) -> Iterator[None]:
    """Seeds torch from `rng` and uses one thread; restores the process' own state afterwards.

    One thread makes sums have one order. A second thread gained 5 % on these small matrices on an idle machine and
    lost half of the speed on a busy one.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            yield
    finally:
        torch.set_num_threads(n_threads)


def one_cycle_factor(progress: float) -> float:
    """Returns the fraction of the greatest learning rate at this fraction of a training.

    Linear up during the first tenth, then a cosine down to 1 % (Smith and Topin, Super-convergence, 2018).
    """
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, _MIN_RATE)
    angle = math.pi * (progress - _WARM_UP) / 0.9
    return max(0.5 + 0.5 * math.cos(angle), _MIN_RATE)
