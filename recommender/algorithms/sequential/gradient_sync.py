"""One training loop for one process or for several that each take a part of every batch. Loads torch: training only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import distributed, nn

from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.types import Histories, Int64Array, ProgressCallback


class GradientSync(Protocol):
    """The processes that learn one network together; all have the same network and draw the same batches."""

    def select_shard(self, batch: Int64Array) -> Int64Array:
        """The rows of a batch that are this process's; may be empty."""

    def sync_gradients(self, parameters: Iterable[nn.Parameter], n_positions: int) -> None:
        """Every gradient becomes the mean over the processes, each counting `weight`: how many places its loss is of."""


class SingleProcessSync:
    """One process: every batch is its own."""

    def select_shard(self, batch: Int64Array) -> Int64Array:
        return batch

    def sync_gradients(self, parameters: Iterable[nn.Parameter], n_positions: int) -> None:
        """Nothing to average."""


class DataParallelSync:
    """Processes that torch.distributed has joined; data parallel (Goyal et al. 2017), so a step is that of the whole batch."""

    def __init__(self, rank: int, world_size: int) -> None:
        self._rank, self._world_size = rank, world_size

    def select_shard(self, batch: Int64Array) -> Int64Array:
        return batch[self._rank :: self._world_size]

    def sync_gradients(self, parameters: Iterable[nn.Parameter], n_positions: int) -> None:
        """A network that has no gradient yet counts as having one of zeros."""
        parameters = list(parameters)
        parts = [
            torch.zeros(parameter.numel())
            if parameter.grad is None
            else parameter.grad.flatten() * n_positions
            for parameter in parameters
        ]
        message = torch.cat([*parts, torch.tensor([float(n_positions)])])
        distributed.all_reduce(message)
        message[:-1] /= message[-1].clamp(min=1)
        start = 0
        for parameter in parameters:
            parameter.grad = message[start : start + parameter.numel()].view_as(parameter).clone()
            start += parameter.numel()


class NetworkTraining(Protocol):
    """The attributes of a `SequentialTrainer` that a backend reads."""

    name: ClassVar[str]
    config: Any
    items: int
    on_progress: ProgressCallback


class DistributedBackend(Protocol):
    """Processes elsewhere that can learn a network."""

    def train_epochs(
        self,
        trainer: NetworkTraining,
        network: NextItemNetwork,
        histories: Histories,
        rng: np.random.Generator,
        *,
        epochs: int,
        learning_rate: float,
    ) -> bool:
        """Leaves the network as trainer.rounds() would, up to noise; False, and the network as it was, where that
        failed. Passes on what trainer.report raises."""
