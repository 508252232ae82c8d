"""Similarity of items by the knowledge-graph triples that the tenant supplies. Needs no events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Arrays
from recommender.algorithms.content.embedding_similarity import EmbeddingSimilarity, EmbeddingSimilarityConfig
from recommender.algorithms.content.new_items import NewItemContent
from recommender.dataset import Dataset
from recommender.features.tfidf import normalize_rows as normalize_csr_rows
from recommender.types import Float32Array, InsufficientDataError

_TOKENS_FILE = "tokens.json"

TripleTokens = Sequence[str]
"""The triples of one item as tokens: a token that two items share is a path of length two between them."""


class TripleSimilarity(EmbeddingSimilarity[EmbeddingSimilarityConfig]):
    """Cosine in the vector space of a knowledge graph.

    Item i has idf(t) = ln((1 + n) / (1 + n_t)) + 1 at each of its tokens t, where n_t of n items have the token; rows
    are scaled to length one (Di Noia et al., Linked open data to support content-based recommender systems,
    I-SEMANTICS 2012).
    """

    name = "triple_similarity"
    label = "Triple similarity"
    relative_cost = 0.05
    reads_content = frozenset({"triples"})
    uses_behaviour = False
    config_type = EmbeddingSimilarityConfig

    def _fit(
        self,
        data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        if data.triple_tokens is None or not any(data.triple_tokens):
            raise InsufficientDataError("no item has triples")
        self._fit_idf(data.triple_tokens)
        self.vectors = self.transform_tokens(data.triple_tokens)

    @classmethod
    def from_triples(
        cls,
        all_items: Sequence[TripleTokens],
        trained_items: Sequence[TripleTokens],
    ) -> TripleSimilarity:
        """Builds the model directly from triples, before any training.

        Args:
            all_items: Tokens of every item of the catalogue; the inverse frequencies are computed from them.
            trained_items: Tokens of the items that the model covers.
        """
        model = cls()
        model.items = len(trained_items)
        model._fit_idf(all_items)
        model.vectors = model.transform_tokens(trained_items)
        return model

    def _fit_idf(self, triple_tokens: Sequence[TripleTokens]) -> None:
        item_counts: Counter[str] = Counter()
        for tokens in triple_tokens:
            item_counts.update(set(tokens))
        # Sorted, so that the columns do not depend on the iteration order of sets.
        self._vocabulary = {token: number for number, token in enumerate(sorted(item_counts))}
        counts = np.array([item_counts[token] for token in self._vocabulary], dtype=np.float64)
        idf = np.log((1 + len(triple_tokens)) / (1 + counts)) + 1
        self._idf: Float32Array = idf.astype(np.float32)

    def vectors_for(self, content: NewItemContent) -> sparse.csr_matrix:
        """float32 CSR (new items, tokens) of items that were added after training."""
        return self.transform_tokens(content.triple_tokens)

    def transform_tokens(self, triple_tokens: Sequence[TripleTokens]) -> sparse.csr_matrix:
        """Returns the vectors of items, CSR float32 (len(triple_tokens), tokens); unknown tokens are ignored."""
        indptr = [0]
        columns: list[int] = []
        for tokens in triple_tokens:
            item_columns = {self._vocabulary[token] for token in tokens if token in self._vocabulary}
            columns.extend(sorted(item_columns))
            indptr.append(len(columns))
        indices = np.array(columns, dtype=np.int32)
        shape = (len(triple_tokens), len(self._idf))
        matrix = sparse.csr_matrix((self._idf[indices], indices, np.array(indptr, np.int64)), shape=shape)
        return normalize_csr_rows(matrix)

    def _to_arrays(self) -> Arrays:
        return {
            "idf": self._idf,
            "indptr": self.vectors.indptr.astype(np.int64),
            "indices": self.vectors.indices.astype(np.int32),
            "data": self.vectors.data.astype(np.float32),
        }

    def _build_extra_files(self) -> dict[str, bytes]:
        return {_TOKENS_FILE: json.dumps(list(self._vocabulary), ensure_ascii=False).encode()}

    def _restore_state(
        self,
        arrays: Arrays,
        files: Mapping[str, bytes],
    ) -> None:
        tokens = json.loads(files[_TOKENS_FILE])
        self._vocabulary = {token: number for number, token in enumerate(tokens)}
        self._idf = arrays["idf"]
        csr_arrays = (arrays["data"], arrays["indices"], arrays["indptr"])
        self.vectors = sparse.csr_matrix(csr_arrays, shape=(self.items, len(self._idf)))
