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

from recommender.algorithms.common.embedding_table import EmbeddingTable
from recommender.algorithms.sequential.gradient_sync import (
    DistributedBackend,
    GradientSync,
    SingleProcessSync,
)
from recommender.algorithms.sequential.network import (
    CausalSelfAttention,
    NextItemNetwork,
    SequenceMixer,
    to_numpy,
)
from recommender.algorithms.sequential.onnx_export import export_int8
from recommender.algorithms.sequential.sampled_softmax import SampledSoftmax
from recommender.algorithms.sequential.sasrec import (
    OnnxSequentialModel,
    SASRec,
    SASRecConfig,
    SequentialConfigT,
)
from recommender.dataset import Dataset
from recommender.features.text_svd import compute_text_svd
from recommender.types import (
    BoolArray,
    Float32Array,
    Histories,
    InsufficientDataError,
    Int32Array,
    Int64Array,
    ProgressCallback,
    ignore_progress,
)

# The share of new events for which refit_epochs are enough: what leaving each user's last event out hides.
FINETUNE_NEW_FRACTION = 0.15
# At a constant rate the weights circle around what they seek: those of the last rounds, one in so many, are averaged.
AVERAGING_DIVISOR = 4
# Parameters that belong to the items of one training.
ITEM_PARAMETERS = frozenset({"item_embedding.weight", "feature_projection.weight"})


class SequentialTrainer(OnnxSequentialModel[SequentialConfigT]):
    """A scorer that can learn. `report` hears the fraction of epochs done and may raise Cancelled.

    A subclass says how its network mixes the places of a history, and under which name it is served."""

    def __init__(
        self,
        config: SequentialConfigT | None = None,
        *,
        on_progress: ProgressCallback = ignore_progress,
        backend: DistributedBackend | None = None,
    ) -> None:
        super().__init__(config)
        self.on_progress = on_progress
        self._backend = backend
        self._trained_network: NextItemNetwork | None = None
        self._trained_events = 0
        self._warm_started_items: BoolArray | None = None

    @abstractmethod
    def _build_mixer(self, block: int) -> SequenceMixer:
        """The mixer of the block with this number, freshly drawn."""

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        with deterministic_torch(rng):
            self._trained_network = NextItemNetwork(
                self.config, data.n_items, self._build_mixer, self._compute_text_components(data, rng)
            )
            self._train_network(
                self._trained_network,
                data,
                rng,
                epochs=self.config.epochs,
                learning_rate=self.config.learning_rate,
            )
        self._trained_events = data.n_events

    def _compute_text_components(self, data: Dataset, rng: np.random.Generator) -> Float32Array | None:
        if data.content is None or not self.config.text_components:
            return None
        return compute_text_svd(data.content.texts, self.config.text_components, rng)

    def fit_partial(self, data: Dataset, rng: np.random.Generator) -> None:
        """Continues from what was learned, which costs a fraction of learning again: for refit_epochs, and for more
        where more than REFIT_SHARE of the events are new."""
        if self._trained_network is None or data.n_items != self.items:
            self.fit(data, rng)
            return
        if self._warm_started_items is not None:
            facts, known, self._warm_started_items = (
                self._compute_text_components(data, rng),
                self._warm_started_items,
                None,
            )
            if facts is not None and known.any():
                self._trained_network.add_item_features(facts, known)
        new = (data.n_events - self._trained_events) / max(self._trained_events, 1)
        epochs = round(self.config.finetune_epochs * max(1.0, new / FINETUNE_NEW_FRACTION))
        with deterministic_torch(rng):
            self._train_network(
                self._trained_network,
                data,
                rng,
                epochs=min(epochs, self.config.epochs),
                learning_rate=self.config.finetune_learning_rate,
            )
        self._trained_events = data.n_events

    def warm_start(
        self,
        previous: OnnxSequentialModel[SequentialConfigT],
        previous_index: Int32Array,
        rng: np.random.Generator,
    ) -> bool:
        """Goes on from a model that was served: item i was its item place[i], or was not there (-1); refit() follows.

        False where that model came without its weights or has another shape; then nothing has changed."""
        stored = load(previous.weights) if previous.weights else {}
        with deterministic_torch(rng):
            network = NextItemNetwork(self.config, len(previous_index), self._build_mixer)
        state = network.state_dict()
        own = {name: stored.get(name) for name in state if name not in ITEM_PARAMETERS}
        table = previous.get_item_embeddings() if previous.items else np.empty((0, 0), np.float32)
        if any(value is None or value.shape != state[name].shape for name, value in own.items()):
            return False
        if table.shape[1] != self.config.dimensions:
            return False
        known = (previous_index >= 0) & ~np.isin(previous_index, previous.untrained_items)
        rows = to_numpy(network.item_embedding.weight)
        rows[:-1][known] = table[previous_index[known]]
        tensors = {name: torch.from_numpy(value) for name, value in own.items() if value is not None}
        network.load_state_dict({**tensors, "item_embedding.weight": torch.from_numpy(rows)})
        self._trained_network, self.items = network, len(previous_index)
        self._trained_events = int(stored["events"])
        self._warm_started_items = known
        return True

    def _train_network(
        self,
        network: NextItemNetwork,
        data: Dataset,
        rng: np.random.Generator,
        *,
        epochs: int,
        learning_rate: float,
    ) -> None:
        rows = data.histories.take_last(self.config.history + 1)
        if not (rows.lengths >= 2).any():
            raise InsufficientDataError("no user chose two different items")
        epochs = max(1, min(epochs, self.config.max_training_positions // len(rows.item)))
        if self._backend is None or not self._backend.train_epochs(
            self, network, rows, rng, epochs=epochs, learning_rate=learning_rate
        ):
            self.train_epochs(
                network, rows, rng, SingleProcessSync(), epochs=epochs, learning_rate=learning_rate
            )
        table, told = network.get_item_embeddings(), network.embed_features_only()
        unmet = np.setdiff1d(np.arange(self.items, dtype=np.int32), data.item)
        # As a negative an unmet item has only learned to be away; its facts place it as they place the others.
        table[unmet] = told[unmet]
        self._set_network(export_int8(network), EmbeddingTable(table), unmet[~told[unmet].any(axis=1)])
        # The table holds what items became; the projection belongs to directions that the next catalogue has not.
        state = {
            name: to_numpy(value)
            for name, value in network.state_dict().items()
            if name not in ITEM_PARAMETERS
        }
        self.weights = save({**state, "events": np.array(data.n_events, np.int64)})

    def train_epochs(
        self,
        network: NextItemNetwork,
        histories: Histories,
        rng: np.random.Generator,
        gradient_sync: GradientSync,
        *,
        epochs: int,
        learning_rate: float,
    ) -> None:
        """The training loop: so many rounds over all rows, the team's processes in step."""
        optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=0.0, fused=True)
        network.train()
        settled = WeightAverager(network)
        for epoch in range(epochs):
            batches = group_by_length(histories.lengths, self.config.batch_size, rng)
            for number, chosen in enumerate(batches):
                if self.config.schedule == "one-cycle":
                    optimiser.param_groups[0]["lr"] = learning_rate * one_cycle_factor(
                        (epoch + number / len(batches)) / epochs
                    )
                optimiser.zero_grad(set_to_none=True)
                gradient_sync.sync_gradients(
                    network.parameters(),
                    self._compute_gradients(
                        network, histories.take_rows(gradient_sync.select_shard(chosen)), rng
                    ),
                )
                optimiser.step()
            if self.config.schedule == "constant" and epoch >= epochs - epochs // AVERAGING_DIVISOR:
                settled.add_snapshot()
            self.on_progress(self.name, (epoch + 1) / epochs)
        settled.install_mean()
        network.eval()

    def _compute_gradients(
        self, network: NextItemNetwork, histories: Histories, rng: np.random.Generator
    ) -> int:
        """Leaves the gradients of the mean loss over these rows; returns over how many places."""
        drawn = np.unique(rng.integers(0, self.items, self.config.negatives, np.int32))
        if not len(histories):
            return 0
        torch.autograd.backward(self._compute_loss(network, pad_right(histories, self.items), drawn))
        return int((histories.lengths - 1).sum())

    def _compute_loss(
        self, network: NextItemNetwork, padded_items: Int32Array, negatives: Int32Array
    ) -> Tensor:
        """Cross-entropy of the next item against the drawn ones, which the whole batch shares."""
        item = torch.from_numpy(np.concatenate([padded_items.ravel(), negatives]))
        # One look into the table: each costs a gradient as large as the table.
        vectors = network.embed_items(item)
        shown = vectors[: padded_items.size].view(*padded_items.shape, -1)
        there = padded_items[:, 1:] != self.items
        with torch.autocast("cpu", torch.bfloat16):
            states = network(shown[:, :-1])
        parts = (states[there], shown[:, 1:][there], vectors[padded_items.size :])
        unit = (functional.normalize(part.float(), dim=-1) for part in parts)
        met = torch.from_numpy(find_accidental_hits(padded_items[:, 1:][there], negatives))
        # torch declares no types for what it hands to forward().
        loss: Tensor = SampledSoftmax.apply(*unit, met, self.config.temperature)  # type: ignore[no-untyped-call]
        return loss


class SASRecTrainer(SequentialTrainer[SASRecConfig]):
    name = SASRec.name
    config_type = SASRecConfig

    def _build_mixer(self, _block: int) -> SequenceMixer:
        return CausalSelfAttention(self.config)


class WeightAverager:
    """The mean of a network's weights at several moments (Izmailov et al., Averaging Weights, UAI 2018)."""

    def __init__(self, network: NextItemNetwork) -> None:
        self.weights = [weight.detach() for weight in network.parameters()]
        self.sums: list[Tensor] = []
        self.n_snapshots = 0

    def add_snapshot(self) -> None:
        self.sums = self.sums or [torch.zeros_like(weight) for weight in self.weights]
        for total, weight in zip(self.sums, self.weights, strict=True):
            total.add_(weight)
        self.n_snapshots += 1

    def install_mean(self) -> None:
        """Puts the mean in the network's place; without a moment nothing changes."""
        for total, weight in zip(self.sums, self.weights, strict=bool(self.sums)):
            weight.copy_(total / self.n_snapshots)


@contextmanager
def deterministic_torch(rng: np.random.Generator) -> Iterator[None]:
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


def one_cycle_factor(progress: float) -> float:
    """Share of the greatest rate when this share of a training is done: up for a tenth, then a cosine down to 1%.

    Smith and Topin, Super-convergence, 2018: a higher rate for fewer rounds, and a quiet end."""
    if progress < 0.1:
        return max(progress / 0.1, 0.01)
    return max(0.5 + 0.5 * math.cos(math.pi * (progress - 0.1) / 0.9), 0.01)


def find_accidental_hits(targets: Int32Array, negatives: Int32Array) -> Int64Array:
    """int64 (2, m): rows of `wanted` and columns of `drawn`, distinct and rising, that hold the same item."""
    place = np.minimum(np.searchsorted(negatives, targets), len(negatives) - 1)
    rows = np.flatnonzero(negatives[place] == targets)
    return np.stack([rows, place[rows]])


def group_by_length(lengths: Int64Array, batch_size: int, rng: np.random.Generator) -> list[Int64Array]:
    """Rows of two or more events, `size` of about the same length together, in random order.

    Padding every history to the longest would be most of the work: the mean length is far below it."""
    order = np.argsort(lengths + rng.random(len(lengths)), kind="stable")
    order = order[lengths[order] >= 2]
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [batches[number] for number in rng.permutation(len(batches))]


def pad_right(histories: Histories, padding_idx: int) -> Int32Array:
    """int32 (rows, longest), each row from the left, the rest `filler`."""
    lengths = histories.lengths
    matrix = np.full((len(histories), int(lengths.max())), padding_idx, np.int32)
    matrix[
        histories.row_ids(), np.arange(len(histories.item)) - np.repeat(histories.indptr[:-1], lengths)
    ] = histories.item
    return matrix
