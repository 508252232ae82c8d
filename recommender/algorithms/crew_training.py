"""One training loop for one process or for several that each take a part of every batch. Loads torch: training only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import distributed

from recommender.types import Histories, Longs

if TYPE_CHECKING:
    from recommender.algorithms.sequence_network import Network
    from recommender.algorithms.sequence_training import NextItemTrainer


class Team(Protocol):
    """The processes that learn one network together; all have the same network and draw the same batches."""

    def part(self, batch: Longs) -> Longs:
        """The rows of a batch that are this process's; may be empty."""

    def average(self, network: Network, weight: int) -> None:
        """Every gradient becomes the mean over the processes, each counting `weight`: how many places its loss is of."""


class Alone:
    """One process: every batch is its own."""

    def part(self, batch: Longs) -> Longs:
        return batch

    def average(self, network: Network, weight: int) -> None:
        """Nothing to average."""


class Peers:
    """Processes that torch.distributed has joined; data parallel (Goyal et al. 2017), so a step is that of the whole batch."""

    def __init__(self, rank: int, size: int) -> None:
        self._rank, self._size = rank, size

    def part(self, batch: Longs) -> Longs:
        return batch[self._rank :: self._size]

    def average(self, network: Network, weight: int) -> None:
        """A network that has no gradient yet counts as having one of zeros."""
        parameters = list(network.parameters())
        parts = [
            torch.zeros(parameter.numel()) if parameter.grad is None else parameter.grad.flatten() * weight
            for parameter in parameters
        ]
        message = torch.cat([*parts, torch.tensor([float(weight)])])
        distributed.all_reduce(message)
        message[:-1] /= message[-1].clamp(min=1)
        start = 0
        for parameter in parameters:
            parameter.grad = message[start : start + parameter.numel()].view_as(parameter).clone()
            start += parameter.numel()


class Crew(Protocol):
    """Processes elsewhere that can learn a network."""

    def rounds(
        self,
        trainer: NextItemTrainer[Any],
        network: Network,
        rows: Histories,
        rng: np.random.Generator,
        *,
        epochs: int,
        rate: float,
    ) -> bool:
        """Leaves the network as trainer.rounds() would, up to noise; False, and the network as it was, where that
        failed. Passes on what trainer.report raises."""


_CREW: ContextVar[Crew | None] = ContextVar("crew", default=None)


def crew_at_hand() -> Crew | None:
    return _CREW.get()


@contextmanager
def trained_by(crew: Crew | None) -> Iterator[None]:
    """Networks that are fitted inside are learned by the crew. Between here and a network lie layers that need not know."""
    token = _CREW.set(crew)
    try:
        yield
    finally:
        _CREW.reset(token)
