"""Items that are linked with those of the history by what the tenant states of them. Learns nothing from behaviour."""

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
from recommender.features.tfidf import normalize_rows
from recommender.types import Float32Array, InsufficientDataError

TripleTokens = Sequence[str]
"""What is stated of one item, as tokens: equal tokens of two items are a path of length two between them."""


class TripleSimilarity(EmbeddingSimilarity[EmbeddingSimilarityConfig]):
    """The vector space of a knowledge graph (Di Noia et al., Linked open data to support content-based recommender
    systems, I-SEMANTICS 2012): an item has idf(t) = ln((1 + n) / (1 + n_t)) + 1 at each of its tokens t, scaled to length one."""

    name = "triple_similarity"
    label = "Triple similarity"
    relative_cost = 0.05
    reads_content = frozenset({"triples"})
    uses_behaviour = False
    config_type = EmbeddingSimilarityConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        if data.triple_tokens is None or not any(data.triple_tokens):
            raise InsufficientDataError("nothing is stated about the items")
        self._fit_idf(data.triple_tokens)
        self.vectors = self.transform_tokens(data.triple_tokens)

    @classmethod
    def from_triples(
        cls, all_items: Sequence[TripleTokens], trained_items: Sequence[TripleTokens]
    ) -> TripleSimilarity:
        """Without any training: weights from all that is stated, vectors of the `first` items."""
        model = cls()
        model.items = len(trained_items)
        model._fit_idf(all_items)
        model.vectors = model.transform_tokens(trained_items)
        return model

    def _fit_idf(self, triple_tokens: Sequence[TripleTokens]) -> None:
        found = Counter(token for tokens in triple_tokens for token in set(tokens))
        self._vocabulary = {token: number for number, token in enumerate(sorted(found))}
        counts = np.array([found[token] for token in self._vocabulary], dtype=np.float64)
        self._idf: Float32Array = (np.log((1 + len(triple_tokens)) / (1 + counts)) + 1).astype(np.float32)

    def vectors_for(self, content: NewItemContent) -> sparse.csr_matrix:
        """float32 CSR (new items, tokens) of items that were added after training."""
        return self.transform_tokens(content.triple_tokens)

    def transform_tokens(self, triple_tokens: Sequence[TripleTokens]) -> sparse.csr_matrix:
        """float32 (len(links), tokens); tokens that were not met while learning do not count."""
        rows = [
            sorted({self._vocabulary[token] for token in one if token in self._vocabulary})
            for one in triple_tokens
        ]
        start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        column = np.array([number for row in rows for number in row], dtype=np.int32)
        shape = (len(triple_tokens), len(self._idf))
        return normalize_rows(sparse.csr_matrix((self._idf[column], column, start), shape=shape))

    def _to_arrays(self) -> Arrays:
        return {
            "idf": self._idf,
            "start": self.vectors.indptr.astype(np.int64),
            "column": self.vectors.indices.astype(np.int32),
            "value": self.vectors.data.astype(np.float32),
        }

    def _build_extra_files(self) -> dict[str, bytes]:
        return {"tokens.json": json.dumps(list(self._vocabulary), ensure_ascii=False).encode()}

    def _restore_state(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        self._vocabulary = {token: number for number, token in enumerate(json.loads(files["tokens.json"]))}
        self._idf = arrays["idf"]
        shape = (self.items, len(self._idf))
        self.vectors = sparse.csr_matrix((arrays["value"], arrays["column"], arrays["start"]), shape=shape)
