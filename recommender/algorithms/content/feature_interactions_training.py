"""Learns the feature model. Loads scikit-learn: training processes only."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd

from recommender.algorithms.content.feature_interactions import FeatureInteractionModel, normalize_rows
from recommender.dataset import Dataset, ItemReviewFeatures
from recommender.features.tfidf import TfidfVectorizer
from recommender.types import Float32Array, Histories, InsufficientDataError, Int64Array

_REVIEW_FEATURE_SCALE = 0.5  # length of the opinions beside a text of length one


class FeatureInteractionTrainer(FeatureInteractionModel):
    """FeaturesScorer that can learn."""

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        if data.content is None or not data.content.has_text:
            raise InsufficientDataError("no item has a text")
        if not (data.histories.lengths >= 2).any():
            raise InsufficientDataError("no user chose two different items")
        vectors = append_review_features(
            self._compute_text_svd(data.content.texts, rng), data.review_features
        )
        size = vectors.shape[1]
        self._set_parameters(vectors, np.ones(size, np.float32), np.zeros(1, np.float32))
        product, chosen = self._sample_pairs(data.histories, rng)
        learned = LogisticRegression(C=1 / self.config.l2_penalty, max_iter=200).fit(product, chosen)
        self._set_parameters(
            vectors, learned.coef_[0].astype(np.float32), learned.intercept_.astype(np.float32)
        )

    def _compute_text_svd(self, texts: tuple[str, ...], rng: np.random.Generator) -> Float32Array:
        """float32 (items, dimensions), rows of length one: TF-IDF projected on its greatest singular vectors."""
        floor = self.config.min_items if len(texts) >= 100 else 1
        tfidf = TfidfVectorizer.fit(texts, min_items=floor, max_terms=self.config.max_terms).transform(texts)
        if tfidf.nnz == 0:
            raise InsufficientDataError("no item has a text")
        size = min(self.config.dimensions, *tfidf.shape)
        _, _, axes = randomized_svd(tfidf, size, random_state=int(rng.integers(2**31)))
        return normalize_rows(np.asarray(tfidf @ axes.T, dtype=np.float32))

    def _sample_pairs(
        self, histories: Histories, rng: np.random.Generator
    ) -> tuple[Float32Array, Int64Array]:
        """x_u * x_i, shape (pairs x (1 + negatives), dimensions), and whether u chose i.

        x_u comes from the events before the one told, else it would hold the answer."""
        told = np.flatnonzero(
            np.arange(len(histories.item)) > np.repeat(histories.indptr[:-1], histories.lengths)
        )
        if len(told) > self.config.max_pairs:
            told = np.sort(rng.choice(told, self.config.max_pairs, replace=False))
        user = self.compute_user_features(histories.slice_prefixes(told, max_length=self.config.history))
        item = np.empty((len(told), 1 + self.config.negatives), np.int64)
        item[:, 0] = histories.item[told]
        item[:, 1:] = rng.integers(0, self.items, (len(told), self.config.negatives))
        product = user[:, None, :] * self._vectors[item]
        chosen = np.zeros(item.shape, np.int64)
        chosen[:, 0] = 1
        return product.reshape(-1, user.shape[1]), chosen.ravel()


def append_review_features(vectors: Float32Array, review_features: ItemReviewFeatures | None) -> Float32Array:
    """Rows of length one of the text's vector and, beside it, what reviews say; without opinions the rows as they are."""
    if review_features is None or not review_features.has_values:
        return vectors
    said = review_features.to_matrix()
    spread = float(np.sqrt((said**2).sum(axis=1)[said.any(axis=1)].mean()))
    return normalize_rows(
        np.column_stack([vectors, said * np.float32(_REVIEW_FEATURE_SCALE / spread)]).astype(np.float32)
    )
