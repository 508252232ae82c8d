"""Trains networks that read a history in order. Loads torch: never imported by a serving process."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch

from recommender.algorithms.common.embedding_table import EmbeddingTable
from recommender.algorithms.sequential.base import OnnxSequentialModel, SequentialConfigT
from recommender.algorithms.sequential.batches import group_by_length, pad_right
from recommender.algorithms.sequential.gradient_sync import (
    DistributedBackend,
    GradientSync,
    SingleProcessSync,
)
from recommender.algorithms.sequential.network import NextItemNetwork, SequenceMixer
from recommender.algorithms.sequential.onnx_export import export_int8
from recommender.algorithms.sequential.optimization import (
    WeightAverager,
    deterministic_torch,
    one_cycle_factor,
)
from recommender.algorithms.sequential.sampled_softmax import compute_next_item_loss
from recommender.algorithms.sequential.stored_weights import copy_weights, serialize_weights
from recommender.dataset import Dataset
from recommender.features.text_svd import compute_text_svd
from recommender.types import (
    BoolArray,
    Float32Array,
    Histories,
    InsufficientDataError,
    Int32Array,
    ProgressCallback,
    ignore_progress,
)

# Up to this fraction of new events `finetune_epochs` are enough: it is about what leave-last-out hides.
FINETUNE_NEW_FRACTION = 0.15
# At a constant rate the weights oscillate around an optimum; those of the last 1 / AVERAGING_DIVISOR of the epochs are
# averaged.
AVERAGING_DIVISOR = 4


class SequentialTrainer(OnnxSequentialModel[SequentialConfigT]):
    """An `OnnxSequentialModel` that can be fitted; a subclass builds the mixer of its network."""

    def __init__(
        self,
        config: SequentialConfigT | None = None,
        *,
        on_progress: ProgressCallback = ignore_progress,
        backend: DistributedBackend | None = None,
    ) -> None:
        """Creates an unfitted model.

        Args:
            config: Parameters; the defaults if omitted.
            on_progress: Receives the fraction of epochs done; may raise TrainingCancelled.
            backend: Runs the training loop elsewhere; this process trains if it is omitted or fails.
        """
        super().__init__(config)
        self.on_progress = on_progress
        self._backend = backend
        self._trained_network: NextItemNetwork | None = None
        # Number of events that `_trained_network` was trained on.
        self._trained_events = 0
        # Set by warm_start until the next fit_partial: items whose embedding comes from the previous model.
        self._warm_started_items: BoolArray | None = None

    @abstractmethod
    def _build_mixer(self, block: int) -> SequenceMixer:
        """Builds the mixer of the block with this number, with random parameters."""

    def _fit(
        self,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        with deterministic_torch(rng):
            self._trained_network = NextItemNetwork(
                self.config,
                data.n_items,
                self._build_mixer,
                self._compute_text_components(data, rng),
            )
            self._train_and_export(
                self._trained_network,
                data,
                rng,
                epochs=self.config.epochs,
                learning_rate=self.config.learning_rate,
            )

    def _compute_text_components(self, data: Dataset, rng: np.random.Generator) -> Float32Array | None:
        if data.content is None or not self.config.text_components:
            return None
        return compute_text_svd(data.content.texts, self.config.text_components, rng)

    def fit_partial(self, data: Dataset, rng: np.random.Generator) -> None:
        """Continues the last training, which takes a fraction of the time of a new one.

        Runs `finetune_epochs`, and proportionally more if more than `FINETUNE_NEW_FRACTION` of the events are new.
        Trains from scratch if there was no training or the number of items has changed.
        """
        if self._trained_network is None or data.n_items != self.items:
            self.fit(data, rng)
            return
        self._add_features_after_warm_start(self._trained_network, data, rng)
        n_new_events = data.n_events - self._trained_events
        new_fraction = n_new_events / max(self._trained_events, 1)
        epochs = round(self.config.finetune_epochs * max(1.0, new_fraction / FINETUNE_NEW_FRACTION))
        with deterministic_torch(rng):
            self._train_and_export(
                self._trained_network,
                data,
                rng,
                epochs=min(epochs, self.config.epochs),
                learning_rate=self.config.finetune_learning_rate,
            )

    def _add_features_after_warm_start(
        self,
        network: NextItemNetwork,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        """Adds text features to a warm-started network, once: only now is the catalogue with its texts known."""
        is_trained = self._warm_started_items
        if is_trained is None:
            return
        self._warm_started_items = None
        text_components = self._compute_text_components(data, rng)
        if text_components is not None and is_trained.any():
            network.add_item_features(text_components, is_trained)

    def warm_start(
        self,
        previous: OnnxSequentialModel[SequentialConfigT],
        previous_index: Int32Array,
        rng: np.random.Generator,
    ) -> bool:
        """Takes over the parameters of a model that was served; `fit_partial` then continues its training.

        Args:
            previous: The served model.
            previous_index: For each item its number in the previous model, or -1 for a new item.
            rng: Generator of the embeddings of new items.

        Returns:
            False if the previous model has no stored weights or other shapes; nothing is changed then.
        """
        with deterministic_torch(rng):
            network = NextItemNetwork(
                self.config,
                len(previous_index),
                self._build_mixer,
            )
        warm_start = copy_weights(network, previous, previous_index)
        if warm_start is None:
            return False
        self.items = len(previous_index)
        self._trained_network = network
        self._trained_events = warm_start.n_events
        self._warm_started_items = warm_start.is_trained
        return True

    def _train_and_export(
        self,
        network: NextItemNetwork,
        data: Dataset,
        rng: np.random.Generator,
        *,
        epochs: int,
        learning_rate: float,
    ) -> None:
        # One event more than the network reads: the first is an input only, the last a target only.
        histories = data.histories.take_last(self.config.history + 1)
        if not (histories.lengths >= 2).any():
            raise InsufficientDataError("no user chose two different items")
        affordable_epochs = self.config.max_training_positions // len(histories.item)
        epochs = max(1, min(epochs, affordable_epochs))
        is_trained = self._backend is not None and self._backend.train_epochs(
            self,
            network,
            histories,
            rng,
            epochs=epochs,
            learning_rate=learning_rate,
        )
        if not is_trained:
            self.train_epochs(
                network,
                histories,
                rng,
                SingleProcessSync(),
                epochs=epochs,
                learning_rate=learning_rate,
            )
        self._export_network(network, data)
        self._trained_events = data.n_events

    def _export_network(
        self,
        network: NextItemNetwork,
        data: Dataset,
    ) -> None:
        """Sets the served network, and the weights that a later training continues from."""
        embeddings = network.get_item_embeddings()
        projected_features = network.embed_features_only()
        without_events = np.setdiff1d(np.arange(self.items, dtype=np.int32), data.item)
        # Items without events were only negatives, which pushed their own vectors away from every prediction. Their
        # features place them as they place other items.
        embeddings[without_events] = projected_features[without_events]
        has_features = projected_features[without_events].any(axis=1)
        self._set_network(
            network=export_int8(network),
            item_embeddings=EmbeddingTable(embeddings),
            untrained_items=without_events[~has_features],
        )
        self.weights = serialize_weights(network, data.n_events)

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
        """Runs the training loop.

        Args:
            network: Trained in place, and left in evaluation mode.
            histories: Training rows; rows with a single event are not used.
            rng: Generator of batches and negatives; the same state in all processes.
            gradient_sync: Connects the processes that train together.
            epochs: Number of passes over the rows.
            learning_rate: Greatest learning rate.

        Raises:
            TrainingCancelled: `on_progress` raised it.
        """
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=learning_rate,
            weight_decay=0.0,
            fused=True,
        )
        averager = WeightAverager(network)
        first_averaged_epoch = epochs - epochs // AVERAGING_DIVISOR
        network.train()
        for epoch in range(epochs):
            batches = group_by_length(histories.lengths, self.config.batch_size, rng)
            for number, batch in enumerate(batches):
                if self.config.schedule == "one-cycle":
                    progress = (epoch + number / len(batches)) / epochs
                    optimizer.param_groups[0]["lr"] = learning_rate * one_cycle_factor(progress)
                optimizer.zero_grad(set_to_none=True)
                shard = histories.take_rows(gradient_sync.select_shard(batch))
                n_positions = self._compute_gradients(network, shard, rng)
                gradient_sync.sync_gradients(network.parameters(), n_positions)
                optimizer.step()
            if self.config.schedule == "constant" and epoch >= first_averaged_epoch:
                averager.add_snapshot()
            self.on_progress(self.name, (epoch + 1) / epochs)
        averager.install_mean()
        network.eval()

    def _compute_gradients(
        self,
        network: NextItemNetwork,
        histories: Histories,
        rng: np.random.Generator,
    ) -> int:
        """Sets the gradients of the mean loss over these rows; returns the number of positions in that mean."""
        # Drawn before the early return: every process has to draw the same numbers.
        negatives = np.unique(rng.integers(0, self.items, self.config.negatives, np.int32))
        if not len(histories):
            return 0
        loss = compute_next_item_loss(
            network,
            padded_items=pad_right(histories, self.items),
            negatives=negatives,
            padding_idx=self.items,
            temperature=self.config.temperature,
        )
        torch.autograd.backward(loss)
        return int((histories.lengths - 1).sum())
