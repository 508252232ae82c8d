"""Trains networks that read a history in order. Loads torch: never imported by a serving process."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import Tensor
from torch.nn import functional

from recommender.algorithms.crew_training import Alone, Team, crew_at_hand
from recommender.algorithms.sequence import NextConfig, NextItemScorer, SequenceConfig, SequenceScorer
from recommender.algorithms.sequence_export import export
from recommender.algorithms.sequence_loss import SampledSoftmax
from recommender.algorithms.sequence_network import Attention, Mixer, Network, array
from recommender.algorithms.vectors import Vectors
from recommender.dataset import Dataset
from recommender.features.directions import text_directions
from recommender.types import Bools, CannotFit, Floats, Histories, Ints, Longs, Report, silent

# The share of new events for which refit_epochs are enough: what leaving each user's last event out hides.
REFIT_SHARE = 0.15
# At a constant rate the weights circle around what they seek: those of the last rounds, one in so many, are averaged.
AVERAGED = 4
# Parameters that belong to the items of one training.
OF_ITEMS = frozenset({"item.weight", "told.weight"})


class NextItemTrainer(NextItemScorer[NextConfig]):
    """A scorer that can learn. `report` hears the fraction of epochs done and may raise Cancelled.

    A subclass says how its network mixes the places of a history, and under which name it is served."""

    def __init__(self, config: NextConfig | None = None, *, report: Report = silent) -> None:
        super().__init__(config)
        self.report = report
        self._learned: Network | None = None
        self._learned_events = 0
        self._adopted: Bools | None = None

    @abstractmethod
    def _mixer(self, block: int) -> Mixer:
        """The mixer of the block with this number, freshly drawn."""

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        with reproducible(rng):
            self._learned = Network(self.config, data.items, self._mixer, self._facts(data, rng))
            self._train(self._learned, data, rng, epochs=self.config.epochs, rate=self.config.learning_rate)
        self._learned_events = data.events

    def _facts(self, data: Dataset, rng: np.random.Generator) -> Floats | None:
        if data.content is None or not self.config.directions:
            return None
        return text_directions(data.content.texts, self.config.directions, rng)

    def refit(self, data: Dataset, rng: np.random.Generator) -> None:
        """Continues from what was learned, which costs a fraction of learning again: for refit_epochs, and for more
        where more than REFIT_SHARE of the events are new."""
        if self._learned is None or data.items != self.items:
            self.fit(data, rng)
            return
        if self._adopted is not None:
            facts, known, self._adopted = self._facts(data, rng), self._adopted, None
            if facts is not None and known.any():
                self._learned.tell(facts, known)
        new = (data.events - self._learned_events) / max(self._learned_events, 1)
        epochs = round(self.config.refit_epochs * max(1.0, new / REFIT_SHARE))
        with reproducible(rng):
            self._train(
                self._learned, data, rng, epochs=min(epochs, self.config.epochs), rate=self.config.refit_rate
            )
        self._learned_events = data.events

    def adopt(self, former: NextItemScorer[NextConfig], place: Ints, rng: np.random.Generator) -> bool:
        """Goes on from a model that was served: item i was its item place[i], or was not there (-1); refit() follows.

        False where that model came without its weights or has another shape; then nothing has changed."""
        stored = load(former.weights) if former.weights else {}
        with reproducible(rng):
            network = Network(self.config, len(place), self._mixer)
        state = network.state_dict()
        own = {name: stored.get(name) for name in state if name not in OF_ITEMS}
        table = former.table() if former.items else np.empty((0, 0), np.float32)
        if any(value is None or value.shape != state[name].shape for name, value in own.items()):
            return False
        if table.shape[1] != self.config.dimensions:
            return False
        known = (place >= 0) & ~np.isin(place, former.unmet)
        rows = array(network.item.weight)
        rows[:-1][known] = table[place[known]]
        tensors = {name: torch.from_numpy(value) for name, value in own.items() if value is not None}
        network.load_state_dict({**tensors, "item.weight": torch.from_numpy(rows)})
        self._learned, self.items = network, len(place)
        self._learned_events = int(stored["events"])
        self._adopted = known
        return True

    def _train(
        self, network: Network, data: Dataset, rng: np.random.Generator, *, epochs: int, rate: float
    ) -> None:
        rows = data.histories.latest(self.config.history + 1)
        if not (rows.lengths >= 2).any():
            raise CannotFit("no user chose two different items")
        epochs = max(1, min(epochs, self.config.most_positions // len(rows.item)))
        crew = crew_at_hand()
        if crew is None or not crew.rounds(self, network, rows, rng, epochs=epochs, rate=rate):
            self.rounds(network, rows, rng, Alone(), epochs=epochs, rate=rate)
        table, told = network.table(), network.told_alone()
        unmet = np.setdiff1d(np.arange(self.items, dtype=np.int32), data.item)
        # As a negative an unmet item has only learned to be away; its facts place it as they place the others.
        table[unmet] = told[unmet]
        self._install(export(network), Vectors(table), unmet[~told[unmet].any(axis=1)])
        # The table holds what items became; the projection belongs to directions that the next catalogue has not.
        state = {name: array(value) for name, value in network.state_dict().items() if name not in OF_ITEMS}
        self.weights = save({**state, "events": np.array(data.events, np.int64)})

    def rounds(
        self,
        network: Network,
        rows: Histories,
        rng: np.random.Generator,
        team: Team,
        *,
        epochs: int,
        rate: float,
    ) -> None:
        """The training loop: so many rounds over all rows, the team's processes in step."""
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.0, fused=True)
        network.train()
        settled = Average(network)
        for epoch in range(epochs):
            batches = length_batches(rows.lengths, self.config.batch, rng)
            for number, chosen in enumerate(batches):
                if self.config.schedule == "one-cycle":
                    optimiser.param_groups[0]["lr"] = rate * one_cycle(
                        (epoch + number / len(batches)) / epochs
                    )
                optimiser.zero_grad(set_to_none=True)
                team.average(network, self._descent(network, rows.take(team.part(chosen)), rng))
                optimiser.step()
            if self.config.schedule == "constant" and epoch >= epochs - epochs // AVERAGED:
                settled.add()
            self.report(self.name, (epoch + 1) / epochs)
        settled.install()
        network.eval()

    def _descent(self, network: Network, rows: Histories, rng: np.random.Generator) -> int:
        """Leaves the gradients of the mean loss over these rows; returns over how many places."""
        drawn = np.unique(rng.integers(0, self.items, self.config.negatives, np.int32))
        if not len(rows):
            return 0
        torch.autograd.backward(self._loss(network, padded(rows, self.items), drawn))
        return int((rows.lengths - 1).sum())

    def _loss(self, network: Network, padded_rows: Ints, drawn: Ints) -> Tensor:
        """Cross-entropy of the next item against the drawn ones, which the whole batch shares."""
        item = torch.from_numpy(np.concatenate([padded_rows.ravel(), drawn]))
        # One look into the table: each costs a gradient as large as the table.
        vectors = network.vectors(item)
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


class Average:
    """The mean of a network's weights at several moments (Izmailov et al., Averaging Weights, UAI 2018)."""

    def __init__(self, network: Network) -> None:
        self.weights = [weight.detach() for weight in network.parameters()]
        self.sums: list[Tensor] = []
        self.moments = 0

    def add(self) -> None:
        self.sums = self.sums or [torch.zeros_like(weight) for weight in self.weights]
        for total, weight in zip(self.sums, self.weights, strict=True):
            total.add_(weight)
        self.moments += 1

    def install(self) -> None:
        """Puts the mean in the network's place; without a moment nothing changes."""
        for total, weight in zip(self.sums, self.weights, strict=bool(self.sums)):
            weight.copy_(total / self.moments)


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
