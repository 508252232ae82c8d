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
from recommender.algorithms.common.int8 import cast_indices, quantize_csr_rows
from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import compute_recency_weights, to_csr
from recommender.algorithms.content.new_items import NewItemContent
from recommender.dataset import Dataset
from recommender.features.tfidf import TfidfVectorizer, normalize_rows
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array


@dataclass(frozen=True)
class TfidfContentConfig:
    decay: float = 0.65
    min_items: int = 2
    max_terms: int = 100_000
    history: int = 50

    inference_space: ClassVar[SearchSpace] = {"decay": FloatRange(0.2, 1.0)}
    training_space: ClassVar[SearchSpace] = {"min_items": IntRange(1, 10)}


class TfidfContent(Recommender[TfidfContentConfig]):
    """Cosine between an item and the faded mean of the history; new items are scored through vectors_of()."""

    name = "content"
    label = "Text similarity"
    relative_cost = 0.05
    reads_content = frozenset({"text"})
    uses_behaviour = False
    config_type = TfidfContentConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        if data.content is None or not data.content.has_text:
            raise InsufficientDataError("no item has a text")
        floor = self.config.min_items if data.n_items >= 100 else 1
        self.vectorizer = TfidfVectorizer.fit(
            data.content.texts, min_items=floor, max_terms=self.config.max_terms
        )
        self._set_vectors(self.vectorizer.transform(data.content.texts))

    def vectors_for(self, content: NewItemContent) -> sparse.csr_matrix:
        """float32 CSR (new items, terms) of items that were added after training."""
        return self.transform_texts(content.texts)

    def transform_texts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """float32 (texts, terms): vectors of items that were not there when the model was made."""
        return self.vectorizer.transform(texts)

    def compute_user_vector(self, history: Int32Array, weight: Float32Array | None = None) -> Float32Array:
        """float32 (terms), length one or zero: what a history is about."""
        ones = np.ones(len(history), np.float32) if weight is None else weight
        rows = Histories(np.array([0, len(history)], np.int64), history, ones).drop_unknown_and_repeats(
            self.items
        )
        return self._compute_user_vector(rows.take_last(self.config.history))

    def _compute_user_vector(self, history: Histories) -> Float32Array:
        mean = np.zeros(self.vectors.shape[1], np.float32)
        fade = compute_recency_weights(history, self.config.decay)
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

    def _score_batch(self, histories: Histories) -> Float32Array:
        recent = histories.take_last(self.config.history)
        mean = to_csr(recent, self.items, compute_recency_weights(recent, self.config.decay)) @ self.vectors
        return np.asarray((normalize_rows(mean) @ self._by_term).todense(), dtype=np.float32)

    def _score_history(self, history: Histories) -> Float32Array:
        scores: Float32Array = self.vectors @ self._compute_user_vector(
            history.take_last(self.config.history)
        )
        return scores

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        return np.asarray((self.vectors[items] @ self._by_term).todense(), dtype=np.float32)

    def _to_arrays(self) -> Arrays:
        return {
            "idf": self.vectorizer.idf,
            "start": self.vectors.indptr.astype(np.int64),
            "column": self.vectors.indices.astype(np.int32),
            "value": self.vectors.data.astype(np.float32),
        }

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        value, step = quantize_csr_rows(arrays["value"], arrays["start"])
        column = cast_indices(arrays["column"], len(arrays["idf"]))
        return arrays | {"value": value, "column": column, "step": step}

    def _build_extra_files(self) -> dict[str, bytes]:
        return {"vocabulary.json": json.dumps(list(self.vectorizer.vocabulary), ensure_ascii=False).encode()}

    def _restore_state(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        terms = json.loads(files["vocabulary.json"])
        self.vectorizer = TfidfVectorizer({term: number for number, term in enumerate(terms)}, arrays["idf"])
        value = arrays["value"]
        if "step" in arrays:
            value = value * np.repeat(arrays["step"], np.diff(arrays["start"]))
        column = arrays["column"].astype(np.int32)
        shape = (self.items, len(terms))
        self._set_vectors(sparse.csr_matrix((value, column, arrays["start"]), shape=shape))
