"""Gradient synchronisation of data-parallel training, and the interface of distributed backends. Loads torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import distributed, nn

from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.types import Histories, Int64Array, ProgressCallback


class GradientSync(Protocol):
    """Connects the processes that train one network; all hold the same weights and draw the same batches."""

    def select_shard(self, batch: Int64Array) -> Int64Array:
        """Returns the rows of a batch that this process computes; may be empty."""

    def sync_gradients(
        self,
        parameters: Iterable[nn.Parameter],
        n_positions: int,
    ) -> None:
        """Replaces each gradient by its mean over the processes.

        Args:
            parameters: Parameters of the network.
            n_positions: Positions that this process's loss is the mean of, which is its weight in the mean.
        """


class SingleProcessSync:
    """Training in one process, which computes whole batches."""

    def select_shard(self, batch: Int64Array) -> Int64Array:
        """Returns the whole batch."""
        return batch

    def sync_gradients(
        self,
        parameters: Iterable[nn.Parameter],
        n_positions: int,
    ) -> None:
        """Does nothing: the gradients are those of the whole batch."""


class DataParallelSync:
    """Data-parallel training of processes joined by torch.distributed (Goyal et al. 2017).

    A step equals the step of one process on the whole batch, up to rounding.
    """

    def __init__(
        self,
        rank: int,
        world_size: int,
    ) -> None:
        self._rank = rank
        self._world_size = world_size

    def select_shard(self, batch: Int64Array) -> Int64Array:
        """Returns every `world_size`-th row, so that shards have similar lengths."""
        return batch[self._rank :: self._world_size]

    def sync_gradients(
        self,
        parameters: Iterable[nn.Parameter],
        n_positions: int,
    ) -> None:
        """Averages the gradients in one message; a parameter without a gradient counts as zeros."""
        parameters = list(parameters)
        weighted_gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                weighted_gradients.append(torch.zeros(parameter.numel()))
            else:
                weighted_gradients.append(parameter.grad.flatten() * n_positions)
        # The last number is the weight, so that one all-reduce sums the gradients and their weights.
        message = torch.cat([*weighted_gradients, torch.tensor([float(n_positions)])])
        distributed.all_reduce(message)
        message[:-1] /= message[-1].clamp(min=1)
        start = 0
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter.grad = message[start:stop].view_as(parameter).clone()
            start = stop


class NetworkTraining(Protocol):
    """The attributes of a `SequentialTrainer` that a backend reads."""

    name: ClassVar[str]
    config: Any
    items: int
    on_progress: ProgressCallback


class DistributedBackend(Protocol):
    """Runs the training loop of a network in other processes."""

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
        """Trains the network as `SequentialTrainer.train_epochs` would, up to rounding.

        Args:
            trainer: Receives progress; its type and config are rebuilt in the processes.
            network: Trained in place.
            histories: Training rows.
            rng: Generator of batches and negatives.
            epochs: Number of passes over the rows.
            learning_rate: Greatest learning rate.

        Returns:
            False if the processes failed; the network is then unchanged.

        Raises:
            TrainingCancelled: `trainer.on_progress` raised it.
        """
