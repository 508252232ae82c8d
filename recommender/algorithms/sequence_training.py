"""Trains networks that read a history in order. Loads torch: never imported by a serving process."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recommender.algorithms.sequence import NextConfig, NextItemScorer, SequenceConfig, SequenceScorer
from recommender.algorithms.sequence_export import export
from recommender.algorithms.sequence_loss import SampledSoftmax
from recommender.algorithms.sequence_network import Attention, Mixer, Network, array
from recommender.dataset import Dataset
from recommender.types import CannotFit, Histories, Ints, Longs, Report, silent

# The share of new events for which refit_epochs are enough: what leaving each user's last event out hides.
REFIT_SHARE = 0.15


class NextItemTrainer(NextItemScorer[NextConfig]):
    """A scorer that can learn. `report` hears the fraction of epochs done and may raise Cancelled.

    A subclass says how its network mixes the places of a history, and under which name it is served."""

    def __init__(self, config: NextConfig | None = None, *, report: Report = silent) -> None:
        super().__init__(config)
        self.report = report
        self._learned: Network | None = None
        self._learned_events = 0

    @abstractmethod
    def _mixer(self, block: int) -> Mixer:
        """The mixer of the block with this number, freshly drawn."""

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        with reproducible(rng):
            self._learned = Network(self.config, data.items, self._mixer)
            self._train(self._learned, data, rng, epochs=self.config.epochs, rate=self.config.learning_rate)
        self._learned_events = data.events

    def refit(self, data: Dataset, rng: np.random.Generator) -> None:
        """Continues from what was learned, which costs a fraction of learning again: for refit_epochs, and for more
        where more than REFIT_SHARE of the events are new."""
        if self._learned is None or data.items != self.items:
            self.fit(data, rng)
            return
        new = (data.events - self._learned_events) / max(self._learned_events, 1)
        epochs = round(self.config.refit_epochs * max(1.0, new / REFIT_SHARE))
        with reproducible(rng):
            self._train(
                self._learned, data, rng, epochs=min(epochs, self.config.epochs), rate=self.config.refit_rate
            )
        self._learned_events = data.events

    def _train(
        self, network: Network, data: Dataset, rng: np.random.Generator, *, epochs: int, rate: float
    ) -> None:
        rows = data.histories.latest(self.config.history + 1)
        if not (rows.lengths >= 2).any():
            raise CannotFit("no user chose two different items")
        epochs = max(1, min(epochs, self.config.most_positions // len(rows.item)))
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.0, fused=True)
        network.train()
        for epoch in range(epochs):
            batches = length_batches(rows.lengths, self.config.batch, rng)
            for number, chosen in enumerate(batches):
                if self.config.schedule == "one-cycle":
                    optimiser.param_groups[0]["lr"] = rate * one_cycle(
                        (epoch + number / len(batches)) / epochs
                    )
                loss = self._loss(network, padded(rows.take(chosen), self.items), rng)
                optimiser.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                optimiser.step()
            self.report(self.name, (epoch + 1) / epochs)
        network.eval()
        unmet = np.setdiff1d(np.arange(self.items, dtype=np.int32), data.item)
        self._install(export(network), array(network.item.weight)[: self.items], unmet)

    def _loss(self, network: Network, padded_rows: Ints, rng: np.random.Generator) -> Tensor:
        """Cross-entropy of the next item against about `negatives` uniform items shared by the whole batch."""
        drawn = np.unique(rng.integers(0, self.items, self.config.negatives, np.int32))
        item = torch.from_numpy(np.concatenate([padded_rows.ravel(), drawn]))
        # One look into the table: each costs a gradient as large as the table.
        vectors = network.item(item)
        shown = vectors[: padded_rows.size].view(*padded_rows.shape, -1)
        there = padded_rows[:, 1:] != self.items
        with torch.autocast("cpu", torch.bfloat16):
            states = network(shown[:, :-1])
        parts = (states[there], shown[:, 1:][there], vectors[padded_rows.size :])
        unit = (functional.normalize(part.float(), dim=-1) for part in parts)
        met = torch.from_numpy(meetings(padded_rows[:, 1:][there], drawn))
        # torch declares no types for what it hands to forward().
        loss: Tensor = SampledSoftmax.apply(*unit, met, self.config.temperature)  # type: ignore[no-untyped-call]
        return loss


class SequenceTrainer(NextItemTrainer[SequenceConfig]):
    name = SequenceScorer.name
    config_type = SequenceConfig

    def _mixer(self, _block: int) -> Mixer:
        return Attention(self.config)


@contextmanager
def reproducible(rng: np.random.Generator) -> Iterator[None]:
    """Draws torch's random state from `rng` and puts the process' own state back afterwards.

    One thread: these matrices are so small that a second one gains 5% alone and loses half on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            yield
    finally:
        torch.set_num_threads(threads)


def one_cycle(done: float) -> float:
    """Share of the greatest rate when this share of a training is done: up for a tenth, then a cosine down to 1%.

    Smith and Topin, Super-convergence, 2018: a higher rate for fewer rounds, and a quiet end."""
    if done < 0.1:
        return max(done / 0.1, 0.01)
    return max(0.5 + 0.5 * math.cos(math.pi * (done - 0.1) / 0.9), 0.01)


def meetings(wanted: Ints, drawn: Ints) -> Longs:
    """int64 (2, m): rows of `wanted` and columns of `drawn`, distinct and rising, that hold the same item."""
    place = np.minimum(np.searchsorted(drawn, wanted), len(drawn) - 1)
    rows = np.flatnonzero(drawn[place] == wanted)
    return np.stack([rows, place[rows]])


def length_batches(lengths: Longs, size: int, rng: np.random.Generator) -> list[Longs]:
    """Rows of two or more events, `size` of about the same length together, in random order.

    Padding every history to the longest would be most of the work: the mean length is far below it."""
    order = np.argsort(lengths + rng.random(len(lengths)), kind="stable")
    order = order[lengths[order] >= 2]
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[number] for number in rng.permutation(len(batches))]


def padded(rows: Histories, filler: int) -> Ints:
    """int32 (rows, longest), each row from the left, the rest `filler`."""
    lengths = rows.lengths
    matrix = np.full((len(rows), int(lengths.max())), filler, np.int32)
    matrix[rows.owners(), np.arange(len(rows.item)) - np.repeat(rows.indptr[:-1], lengths)] = rows.item
    return matrix
