"""Text similarity of items to a history, by TF-IDF; items without events can be scored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import compute_recency_weights, sum_item_vectors
from recommender.algorithms.content.new_items import NewItemContent
from recommender.dataset import Dataset
from recommender.features.tfidf import TfidfVectorizer
from recommender.features.tfidf import normalize_rows as normalize_csr_rows
from recommender.onnx.int8 import cast_indices, quantize_csr_rows
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array

_VOCABULARY_FILE = "vocabulary.json"
# In a small catalogue most terms occur in a single item, so the vocabulary keeps them all.
_SMALL_CATALOGUE = 100


@dataclass(frozen=True)
class TfidfContentConfig:
    """Parameters of `TfidfContent`.

    decay: Weight of an event relative to the event after it.
    min_items: Number of items that a term must occur in.
    max_terms: Size of the vocabulary.
    history: Number of latest events that count.
    """

    decay: float = 0.65
    min_items: int = 2
    max_terms: int = 100_000
    history: int = 50

    inference_space: ClassVar[SearchSpace] = {"decay": FloatRange(0.2, 1.0)}
    training_space: ClassVar[SearchSpace] = {"min_items": IntRange(1, 10)}


class TfidfContent(Recommender[TfidfContentConfig]):
    """Scores an item by the cosine of its TF-IDF vector with the recency-weighted mean of the history's.

    `vectors` is CSR float32 (items, terms), rows of length one or zero. Items that arrive after the fit are scored
    through `transform_texts`.
    """

    name = "content"
    label = "Text similarity"
    relative_cost = 0.05
    reads_content = frozenset({"text"})
    uses_behaviour = False
    config_type = TfidfContentConfig

    def _fit(
        self,
        data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        if data.content is None or not data.content.has_text:
            raise InsufficientDataError("no item has a text")
        texts = data.content.texts
        min_items = self.config.min_items if data.n_items >= _SMALL_CATALOGUE else 1
        self.vectorizer = TfidfVectorizer.fit(
            texts,
            min_items=min_items,
            max_terms=self.config.max_terms,
        )
        self._set_vectors(self.vectorizer.transform(texts))

    def vectors_for(self, content: NewItemContent) -> sparse.csr_matrix:
        """Returns the vectors of items that were added after training, CSR float32 (new items, terms)."""
        return self.transform_texts(content.texts)

    def transform_texts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Returns the vectors of texts of items that were not in the fit: CSR float32 (len(texts), terms)."""
        return self.vectorizer.transform(texts)

    def compute_user_vector(
        self,
        history: Int32Array,
        weight: Float32Array | None = None,
    ) -> Float32Array:
        """Returns the mean vector of one history, float32 (terms), of length one or zero.

        Args:
            history: Item numbers, oldest first.
            weight: Strength of each event; ones if omitted.
        """
        row = Histories.from_single(history, weight).drop_unknown_and_repeats(self.items)
        return self._compute_user_vector(row.take_last(self.config.history))

    def _compute_user_vector(self, history: Histories) -> Float32Array:
        user_vector = np.zeros(self.vectors.shape[1], np.float32)
        weights = compute_recency_weights(history, self.config.decay)
        # Adds the few rows directly: a product of sparse matrices costs more for one history.
        for item, weight in zip(
            history.item.tolist(),
            weights.tolist(),
            strict=True,
        ):
            span = slice(self.vectors.indptr[item], self.vectors.indptr[item + 1])
            # A column occurs once in a row, so the indexed addition counts every entry.
            user_vector[self.vectors.indices[span]] += self.vectors.data[span] * np.float32(weight)
        length = float(np.linalg.norm(user_vector))
        if length == 0:
            return user_vector
        return np.asarray(user_vector / length, dtype=np.float32)

    def _set_vectors(self, vectors: sparse.csr_matrix) -> None:
        vectors.sort_indices()
        self.vectors = vectors
        # Invalidates the cached property.
        self.__dict__.pop("_items_by_term", None)

    @cached_property
    def _items_by_term(self) -> sparse.csr_matrix:
        """The transpose (terms, items), as large again as `vectors`: created only when a batch is scored."""
        return self.vectors.T.tocsr()

    def _score_batch(self, histories: Histories) -> Float32Array:
        recent = histories.take_last(self.config.history)
        vector_sums = sum_item_vectors(
            recent,
            self.vectors,
            decay=self.config.decay,
        )
        scores = normalize_csr_rows(vector_sums) @ self._items_by_term
        return np.asarray(scores.todense(), dtype=np.float32)

    def score_clean_history(self, history: Histories) -> Float32Array:
        """Scores one history without the transposed matrix: float32 (items)."""
        user_vector = self._compute_user_vector(history.take_last(self.config.history))
        scores: Float32Array = self.vectors @ user_vector
        return scores

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        return np.asarray((self.vectors[items] @ self._items_by_term).todense(), dtype=np.float32)

    def _to_arrays(self) -> Arrays:
        return {
            "idf": self.vectorizer.idf,
            "indptr": self.vectors.indptr.astype(np.int64),
            "indices": self.vectors.indices.astype(np.int32),
            "data": self.vectors.data.astype(np.float32),
        }

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        data, scale = quantize_csr_rows(arrays["data"], arrays["indptr"])
        indices = cast_indices(arrays["indices"], len(arrays["idf"]))
        return arrays | {"data": data, "indices": indices, "scale": scale}

    def _build_extra_files(self) -> dict[str, bytes]:
        terms = list(self.vectorizer.vocabulary)
        return {_VOCABULARY_FILE: json.dumps(terms, ensure_ascii=False).encode()}

    def _restore_state(
        self,
        arrays: Arrays,
        files: Mapping[str, bytes],
    ) -> None:
        terms = json.loads(files[_VOCABULARY_FILE])
        vocabulary = {term: number for number, term in enumerate(terms)}
        self.vectorizer = TfidfVectorizer(vocabulary, arrays["idf"])
        data = arrays["data"]
        if "scale" in arrays:
            # Held as float32 in memory: scipy's products would convert int8 data at every call.
            data = data * np.repeat(arrays["scale"], np.diff(arrays["indptr"]))
        indices = arrays["indices"].astype(np.int32)
        shape = (self.items, len(terms))
        self._set_vectors(sparse.csr_matrix((data, indices, arrays["indptr"]), shape=shape))
