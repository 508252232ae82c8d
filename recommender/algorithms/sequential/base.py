"""The serving half of networks that read a history in order: int8 ONNX and a table of item embeddings. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.embedding_table import EmbeddingTable
from recommender.algorithms.common.search_space import FloatRange, SearchSpace
from recommender.dataset import Dataset
from recommender.numeric import EPSILON
from recommender.onnx.session import create_session
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array

LearningRateSchedule = Literal["constant", "one-cycle"]

# Name of the ONNX input, shared with onnx_export.
VECTORS_INPUT = "vectors"
_NETWORK_FILE = "network.onnx"
_WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class SequentialConfig:
    """Parameters of a causal network that predicts the embedding of the next item.

    Items are ranked by cosine with the prediction; training contrasts the next item with sampled negatives that a
    batch shares.

    dimensions: Width of embeddings and hidden states.
    text_components: SVD components of the item texts, projected and added to the item embeddings, so that rarely chosen
        items lie near items with similar texts; zero: none.
    blocks: Number of blocks.
    dropout: Dropout rate.
    history: Number of latest events that the network reads.
    temperature: Divisor of the cosines in the loss.
    negatives: Sampled negatives per batch.
    batch_size: Histories per batch.
    learning_rate, schedule, epochs: Of a training from scratch.
    finetune_learning_rate, finetune_epochs: Of a training that continues.
    max_training_positions: Bounds epochs * events, so that many events do not take longer; at least one epoch is run.
    """

    dimensions: int = 64
    text_components: int = 128
    blocks: int = 1
    dropout: float = 0.4
    history: int = 50
    temperature: float = 0.08
    negatives: int = 1024
    batch_size: int = 128
    learning_rate: float = 1e-3
    finetune_learning_rate: float = 1e-3
    schedule: LearningRateSchedule = "constant"
    epochs: int = 30
    finetune_epochs: int = 8
    max_training_positions: int = 12_000_000

    training_space: ClassVar[SearchSpace] = {
        "learning_rate": FloatRange(3e-4, 1e-2, log=True),
        "temperature": FloatRange(0.04, 0.2, log=True),
        "dropout": FloatRange(0.0, 0.6),
    }


SequentialConfigT = TypeVar("SequentialConfigT", bound=SequentialConfig)


class OnnxSequentialModel(Recommender[SequentialConfigT]):
    """Scores histories with the network that a `SequentialTrainer` exported.

    An empty history scores zero for every item. `weights` holds the network's parameters without those of items, as
    safetensors, for a training that continues from this model; serving only stores them.
    """

    reads_order = True
    reads_content = frozenset({"text"})
    places_every_item = True
    weights: bytes = b""
    _item_embeddings: EmbeddingTable

    def _fit(
        self,
        _data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        raise InsufficientDataError("this process serves sequence models and does not train them")

    def _set_network(
        self,
        network: bytes,
        item_embeddings: EmbeddingTable,
        untrained_items: Int32Array,
    ) -> None:
        """Sets the fitted state.

        Args:
            network: ONNX from item embeddings (n, length, dimensions) to unit vectors (n, dimensions).
            item_embeddings: (items, dimensions).
            untrained_items: Items without events and without features, ascending. Their embeddings are random, so they
                get the mean score of the other items instead.
        """
        self._serialized_arrays = None
        self._network = network
        self._session = create_session(network)
        self._item_embeddings = item_embeddings
        self._untrained_items = untrained_items
        embeddings = item_embeddings.to_float32()
        norms = np.maximum(np.linalg.norm(embeddings, axis=1), np.float32(EPSILON))
        self._unit_embeddings = item_embeddings.scale_rows(1 / norms).prepare_session()
        self._mean_vector = self._compute_mean_vector(embeddings, norms)

    def _compute_mean_vector(
        self,
        embeddings: Float32Array,
        norms: Float32Array,
    ) -> Float32Array:
        """Computes the mean unit vector of the trained items: its dot product with a prediction is their mean score."""
        is_trained = np.ones(len(embeddings), np.bool_)
        is_trained[self._untrained_items] = False
        if not is_trained.any():
            return np.zeros(embeddings.shape[1], np.float32)
        mean: Float32Array = (embeddings[is_trained] / norms[is_trained, None]).mean(axis=0)
        return mean

    @property
    def untrained_items(self) -> Int32Array:
        """Items that had neither events nor features when the network was trained, ascending."""
        return self._untrained_items

    def get_item_embeddings(self) -> Float32Array:
        """Returns the embeddings that the network reads, float32 (items, dimensions)."""
        return self._item_embeddings.to_float32()

    def encode_histories(self, histories: Histories) -> Float32Array:
        """Predicts the next item's vector: float32 (len(histories), dimensions), unit rows; zero for an empty history."""
        recent = histories.drop_unknown_and_repeats(self.items).take_last(self.config.history)
        vectors = np.zeros((len(recent), self.config.dimensions), np.float32)
        lengths = recent.lengths
        # Histories of equal length make a batch without padding, so the graph needs no mask.
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            items = recent.take_rows(rows).item.reshape(len(rows), length)
            for start in range(0, len(rows), self.batch_size):
                batch = slice(start, start + self.batch_size)
                vectors[rows[batch]] = self._run_network(items[batch])
        return vectors

    def _run_network(self, items: Int32Array) -> Float32Array:
        """Runs the network on items (n, length): float32 (n, dimensions)."""
        embeddings = self._item_embeddings.get_rows(items)
        vectors: Float32Array = self._session.run(None, {VECTORS_INPUT: embeddings})[0]
        return vectors

    def _compute_cosine_scores(self, vectors: Float32Array) -> Float32Array:
        """Scores all items: float32 (n, items) for unit vectors (n, dimensions), (items) for one vector."""
        scores = self._unit_embeddings.dot(vectors)
        if len(self._untrained_items):
            scores[..., self._untrained_items] = (vectors @ self._mean_vector)[..., None]
        return scores

    def _score_batch(self, histories: Histories) -> Float32Array:
        return self._compute_cosine_scores(self.encode_histories(histories))

    def score_clean_history(self, history: Histories) -> Float32Array:
        """Scores one history without grouping by length: float32 (items)."""
        items = history.take_last(self.config.history).item
        if len(items) == 0:
            return np.zeros(self.items, np.float32)
        vector = self._run_network(items[None, :])[0]
        return self._compute_cosine_scores(vector)

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        vectors = self._unit_embeddings.get_rows(items)
        vectors[np.isin(items, self._untrained_items)] = self._mean_vector
        return self._compute_cosine_scores(vectors)

    def _to_arrays(self) -> Arrays:
        arrays = self._item_embeddings.to_arrays("item_embeddings")
        return {**arrays, "untrained_items": self._untrained_items}

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        from recommender.algorithms.common.embedding_table_onnx import quantize_table  # noqa: PLC0415 - loads onnx, which serving does not install

        return {**arrays, **quantize_table(self._item_embeddings).to_arrays("item_embeddings")}

    def _build_extra_files(self) -> dict[str, bytes]:
        files = {_NETWORK_FILE: self._network}
        if self.weights:
            files[_WEIGHTS_FILE] = self.weights
        return files

    def _restore_state(
        self,
        arrays: Arrays,
        files: Mapping[str, bytes],
    ) -> None:
        self.weights = files.get(_WEIGHTS_FILE, b"")
        self._set_network(
            network=files[_NETWORK_FILE],
            item_embeddings=EmbeddingTable.from_arrays(arrays, "item_embeddings"),
            untrained_items=arrays["untrained_items"],
        )
