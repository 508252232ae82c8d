"""The served half of the networks that read a history in order: int8 ONNX and a table of item vectors. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import numpy as np
import onnxruntime

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.embedding_table import EmbeddingTable
from recommender.algorithms.common.search_space import FloatRange, SearchSpace
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array

LearningRateSchedule = Literal["constant", "one-cycle"]


@dataclass(frozen=True)
class SequentialConfig:
    """A causal network whose next item is the nearest by cosine, learned with shared sampled negatives.

    Training makes as many rounds over the events as most_positions pays for, at most `epochs` and at least one:
    few events are read often, and many events cost no more time than that.

    `directions` of the items' texts (0: none) are projected and added to the vector of each item, so that items
    chosen seldom stand near those that read alike."""

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


@dataclass(frozen=True)
class SASRecConfig(SequentialConfig):
    """A transformer; `heads` divides `dimensions`."""

    heads: int = 1


SequentialConfigT = TypeVar("SequentialConfigT", bound=SequentialConfig)


class OnnxSequentialModel(Recommender[SequentialConfigT]):
    """Scores histories with what a NextItemTrainer exported; an empty history scores zero everywhere."""

    reads_order = True
    reads_content = frozenset({"text"})
    places_every_item = True
    _item_embeddings: EmbeddingTable
    # What a later training goes on from: safetensors of everything but the table. Serving only passes it on.
    weights: bytes = b""

    def _fit(self, _data: Dataset, _rng: np.random.Generator) -> None:
        raise InsufficientDataError("this process serves sequence models and does not train them")

    def _set_network(
        self, network: bytes, item_embeddings: EmbeddingTable, untrained_items: Int32Array
    ) -> None:
        """network: ONNX from item vectors (n, length, dimensions) to unit vectors (n, dimensions). `unmet` are items that
        nobody chose and nothing is known of: they get the mean score of the others, which says nothing."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._network, self._serialized_arrays = network, None
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        self._item_embeddings, self._untrained_items = item_embeddings, untrained_items
        wide = item_embeddings.to_float32()
        length = np.maximum(np.linalg.norm(wide, axis=1), np.float32(1e-12))
        self._unit_embeddings = item_embeddings.scale_rows(1 / length).prepare_session()
        met = np.ones(len(item_embeddings), np.bool_)
        met[untrained_items] = False
        self._mean_vector = (
            (wide[met] / length[met, None]).mean(axis=0) if met.any() else wide[:0].sum(axis=0)
        )

    @property
    def untrained_items(self) -> Int32Array:
        """Items that nobody had chosen and nothing was known of, ascending."""
        return self._untrained_items

    def get_item_embeddings(self) -> Float32Array:
        """float32 (items, dimensions): what the network reads of each item."""
        return self._item_embeddings.to_float32()

    def encode_histories(self, histories: Histories) -> Float32Array:
        """float32 (n, dimensions), unit vectors; zero for an empty history."""
        recent = histories.drop_unknown_and_repeats(self.items).take_last(self.config.history)
        out = np.zeros((len(recent), self.config.dimensions), np.float32)
        lengths = recent.lengths
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            items = recent.take_rows(rows).item.reshape(len(rows), length)
            for start in range(0, len(rows), self.batch_size):
                part = slice(start, start + self.batch_size)
                out[rows[part]] = self._session.run(
                    None, {"vectors": self._item_embeddings.get_rows(items[part])}
                )[0]
        return out

    def _score_vectors(self, vectors: Float32Array) -> Float32Array:
        """float32 (n, items) for vectors (n, dimensions), or (items) for one: what each item has in common with them."""
        scores = self._unit_embeddings.dot(vectors)
        if len(self._untrained_items):
            scores[..., self._untrained_items] = (vectors @ self._mean_vector)[..., None]
        return scores

    def _score_batch(self, histories: Histories) -> Float32Array:
        return self._score_vectors(self.encode_histories(histories))

    def _score_history(self, history: Histories) -> Float32Array:
        recent = history.take_last(self.config.history).item
        if len(recent) == 0:
            return np.zeros(self.items, np.float32)
        vector: Float32Array = self._session.run(
            None, {"vectors": self._item_embeddings.get_rows(recent[None, :])}
        )[0][0]
        return self._score_vectors(vector)

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        vectors = self._unit_embeddings.get_rows(items)
        vectors[np.isin(items, self._untrained_items)] = self._mean_vector
        return self._score_vectors(vectors)

    def _to_arrays(self) -> Arrays:
        return {**self._item_embeddings.to_arrays("table"), "unmet": self._untrained_items}

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        return {**arrays, **self._item_embeddings.quantize().to_arrays("table")}

    def _build_extra_files(self) -> dict[str, bytes]:
        files = {"network.onnx": self._network}
        return files | ({"weights.safetensors": self.weights} if self.weights else {})

    def _restore_state(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        self.weights = files.get("weights.safetensors", b"")
        unmet = arrays.get("unmet", np.empty(0, np.int32))
        self._set_network(files["network.onnx"], EmbeddingTable.from_arrays(arrays, "table"), unmet)


class SASRec(OnnxSequentialModel[SASRecConfig]):
    """Self-attention over the history: Kang and McAuley, SASRec, ICDM 2018."""

    name = "sequence"
    label = "Sequence transformer (SASRec)"
    relative_cost = 1.0
    config_type = SASRecConfig
