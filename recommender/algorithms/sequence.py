"""The served half of the networks that read a history in order: int8 ONNX and a table of item vectors. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import numpy as np
import onnxruntime

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.ranges import Ranges, Real
from recommender.algorithms.vectors import Vectors
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Histories, Ints

Schedule = Literal["constant", "one-cycle"]


@dataclass(frozen=True)
class NextItemConfig:
    """A causal network whose next item is the nearest by cosine, learned with shared sampled negatives.

    Training makes as many rounds over the events as most_positions pays for, at most `epochs` and at least one:
    few events are read often, and many events cost no more time than that.

    `directions` of the items' texts (0: none) are projected and added to the vector of each item, so that items
    chosen seldom stand near those that read alike."""

    dimensions: int = 64
    directions: int = 128
    blocks: int = 1
    dropout: float = 0.4
    history: int = 50
    temperature: float = 0.08
    negatives: int = 1024
    batch: int = 128
    learning_rate: float = 1e-3
    refit_rate: float = 1e-3
    schedule: Schedule = "constant"
    epochs: int = 30
    refit_epochs: int = 8
    most_positions: int = 12_000_000

    when_learning: ClassVar[Ranges] = {
        "learning_rate": Real(3e-4, 1e-2, log=True),
        "temperature": Real(0.04, 0.2, log=True),
        "dropout": Real(0.0, 0.6),
    }


@dataclass(frozen=True)
class SequenceConfig(NextItemConfig):
    """A transformer; `heads` divides `dimensions`."""

    heads: int = 1


NextConfig = TypeVar("NextConfig", bound=NextItemConfig)


class NextItemScorer(Recommender[NextConfig]):
    """Scores histories with what a NextItemTrainer exported; an empty history scores zero everywhere."""

    _table: Vectors
    # What a later training goes on from: safetensors of everything but the table. Serving only passes it on.
    weights: bytes = b""

    def _fit(self, _data: Dataset, _rng: np.random.Generator) -> None:
        raise CannotFit("this process serves sequence models and does not train them")

    def _install(self, network: bytes, table: Vectors, unmet: Ints) -> None:
        """network: ONNX from item vectors (n, length, dimensions) to unit vectors (n, dimensions). `unmet` are items that
        nobody chose and nothing is known of: they get the mean score of the others, which says nothing."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._network, self._stored = network, None
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        self._table, self._unmet = table, unmet
        wide = table.wide()
        length = np.maximum(np.linalg.norm(wide, axis=1), np.float32(1e-12))
        self._unit = table.scaled(1 / length).prepared()
        met = np.ones(len(table), np.bool_)
        met[unmet] = False
        self._rest = (wide[met] / length[met, None]).mean(axis=0) if met.any() else wide[:0].sum(axis=0)

    @property
    def unmet(self) -> Ints:
        """Items that nobody had chosen and nothing was known of, ascending."""
        return self._unmet

    def table(self) -> Floats:
        """float32 (items, dimensions): what the network reads of each item."""
        return self._table.wide()

    def encode(self, histories: Histories) -> Floats:
        """float32 (n, dimensions), unit vectors; zero for an empty history."""
        recent = histories.known(self.items).latest(self.config.history)
        out = np.zeros((len(recent), self.config.dimensions), np.float32)
        lengths = recent.lengths
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            items = recent.take(rows).item.reshape(len(rows), length)
            for start in range(0, len(rows), self.rows_at_once):
                part = slice(start, start + self.rows_at_once)
                out[rows[part]] = self._session.run(None, {"vectors": self._table.rows(items[part])})[0]
        return out

    def _against(self, vectors: Floats) -> Floats:
        """float32 (n, items) for vectors (n, dimensions), or (items) for one: what each item has in common with them."""
        scores = self._unit.dot(vectors)
        if len(self._unmet):
            scores[..., self._unmet] = (vectors @ self._rest)[..., None]
        return scores

    def _score(self, histories: Histories) -> Floats:
        return self._against(self.encode(histories))

    def _score_one(self, history: Histories) -> Floats:
        recent = history.latest(self.config.history).item
        if len(recent) == 0:
            return np.zeros(self.items, np.float32)
        vector: Floats = self._session.run(None, {"vectors": self._table.rows(recent[None, :])})[0][0]
        return self._against(vector)

    def _similarity(self, items: Ints) -> Floats:
        vectors = self._unit.rows(items)
        vectors[np.isin(items, self._unmet)] = self._rest
        return self._against(vectors)

    def _arrays(self) -> Arrays:
        return {**self._table.arrays("table"), "unmet": self._unmet}

    def _narrowed(self, arrays: Arrays) -> Arrays:
        return {**arrays, **self._table.narrowed().arrays("table")}

    def _extra_files(self) -> dict[str, bytes]:
        files = {"network.onnx": self._network}
        return files | ({"weights.safetensors": self.weights} if self.weights else {})

    def _restore(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        self.weights = files.get("weights.safetensors", b"")
        unmet = arrays.get("unmet", np.empty(0, np.int32))
        self._install(files["network.onnx"], Vectors.of_arrays(arrays, "table"), unmet)


class SequenceScorer(NextItemScorer[SequenceConfig]):
    """Self-attention over the history: Kang and McAuley, SASRec, ICDM 2018."""

    name = "sequence"
    config_type = SequenceConfig
