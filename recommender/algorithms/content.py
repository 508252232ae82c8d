"""Items like those of the history, by their words and categories; the one member that knows new items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.narrow import narrow_ragged, smallest_columns
from recommender.algorithms.neighbours import as_matrix, faded
from recommender.algorithms.ranges import Ranges, Real, Whole
from recommender.dataset import Dataset
from recommender.features.text import Vectoriser, unit_rows
from recommender.types import CannotFit, Floats, Histories, Ints


@dataclass(frozen=True)
class ContentConfig:
    decay: float = 0.65
    min_items: int = 2
    max_terms: int = 100_000
    history: int = 50

    when_scoring: ClassVar[Ranges] = {"decay": Real(0.2, 1.0)}
    when_learning: ClassVar[Ranges] = {"min_items": Whole(1, 10)}


class Content(Recommender[ContentConfig]):
    """Cosine between an item and the faded mean of the history; new items are scored through vectors_of()."""

    name = "content"
    config_type = ContentConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        if data.content is None or not data.content.present:
            raise CannotFit("no item has a text")
        floor = self.config.min_items if data.items >= 100 else 1
        self.vectoriser = Vectoriser.learn(
            data.content.texts, min_items=floor, max_terms=self.config.max_terms
        )
        self._set_vectors(self.vectoriser.vectors(data.content.texts))

    def vectors_of(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """float32 (texts, terms): vectors of items that were not there when the model was made."""
        return self.vectoriser.vectors(texts)

    def profile(self, history: Ints, weight: Floats | None = None) -> Floats:
        """float32 (terms), length one or zero: what a history is about."""
        ones = np.ones(len(history), np.float32) if weight is None else weight
        rows = Histories(np.array([0, len(history)], np.int64), history, ones).known(self.items)
        return self._profile(rows.latest(self.config.history))

    def _profile(self, history: Histories) -> Floats:
        mean = np.zeros(self.vectors.shape[1], np.float32)
        fade = faded(history, self.config.decay)
        for item, share in zip(history.item.tolist(), fade.tolist(), strict=True):
            span = slice(self.vectors.indptr[item], self.vectors.indptr[item + 1])
            mean[self.vectors.indices[span]] += self.vectors.data[span] * np.float32(share)
        length = float(np.linalg.norm(mean))
        return np.asarray(mean / length, dtype=np.float32) if length > 0 else mean

    def _set_vectors(self, vectors: sparse.csr_matrix) -> None:
        vectors.sort_indices()
        self.vectors = vectors
        self.__dict__.pop("_by_term", None)

    @cached_property
    def _by_term(self) -> sparse.csr_matrix:
        """The same by term, as large again: only for many histories at once."""
        return self.vectors.T.tocsr()

    def _score(self, histories: Histories) -> Floats:
        recent = histories.latest(self.config.history)
        mean = as_matrix(recent, self.items, faded(recent, self.config.decay)) @ self.vectors
        return np.asarray((unit_rows(mean) @ self._by_term).todense(), dtype=np.float32)

    def _score_one(self, history: Histories) -> Floats:
        scores: Floats = self.vectors @ self._profile(history.latest(self.config.history))
        return scores

    def _similarity(self, items: Ints) -> Floats:
        return np.asarray((self.vectors[items] @ self._by_term).todense(), dtype=np.float32)

    def _arrays(self) -> Arrays:
        return {
            "idf": self.vectoriser.idf,
            "start": self.vectors.indptr.astype(np.int64),
            "column": self.vectors.indices.astype(np.int32),
            "value": self.vectors.data.astype(np.float32),
        }

    def _narrowed(self, arrays: Arrays) -> Arrays:
        value, step = narrow_ragged(arrays["value"], arrays["start"])
        column = smallest_columns(arrays["column"], len(arrays["idf"]))
        return arrays | {"value": value, "column": column, "step": step}

    def _extra_files(self) -> dict[str, bytes]:
        return {"vocabulary.json": json.dumps(list(self.vectoriser.vocabulary), ensure_ascii=False).encode()}

    def _restore(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        terms = json.loads(files["vocabulary.json"])
        self.vectoriser = Vectoriser({term: number for number, term in enumerate(terms)}, arrays["idf"])
        value = arrays["value"]
        if "step" in arrays:
            value = value * np.repeat(arrays["step"], np.diff(arrays["start"]))
        column = arrays["column"].astype(np.int32)
        shape = (self.items, len(terms))
        self._set_vectors(sparse.csr_matrix((value, column, arrays["start"]), shape=shape))
