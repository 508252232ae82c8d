"""Fits the feature interaction model. Imports scikit-learn, so only training processes may import this module."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd

from recommender.algorithms.content.feature_interactions import FeatureInteractionModel
from recommender.dataset import Dataset, ItemReviewFeatures
from recommender.features.tfidf import TfidfVectorizer
from recommender.numeric import normalize_rows
from recommender.types import Float32Array, Histories, InsufficientDataError, Int64Array

# Root mean square length of the review features beside text features of length one.
_REVIEW_FEATURE_SCALE = 0.5
# In a small catalogue most terms occur in a single item, so the vocabulary keeps them all.
_SMALL_CATALOGUE = 100


@dataclass(frozen=True)
class TrainingPairs:
    """Rows of the logistic regression.

    interactions: x_u * x_i, float32 (pairs * (1 + negatives), dimensions).
    is_chosen: Whether user u chose item i, int64 of as many rows.
    """

    interactions: Float32Array
    is_chosen: Int64Array


class FeatureInteractionTrainer(FeatureInteractionModel):
    """A `FeatureInteractionModel` that can be fitted: logistic regression on sampled pairs."""

    def _fit(
        self,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        if data.content is None or not data.content.has_text:
            raise InsufficientDataError("no item has a text")
        if not (data.histories.lengths >= 2).any():
            raise InsufficientDataError("no user chose two different items")
        text_vectors = self._compute_text_svd(data.content.texts, rng)
        vectors = append_review_features(text_vectors, data.review_features)
        width = vectors.shape[1]
        # The user features of the training pairs are computed from the item vectors only; weights are set below.
        self._set_parameters(
            vectors,
            weight=np.ones(width, np.float32),
            bias=np.zeros(1, np.float32),
        )
        pairs = self._sample_pairs(data.histories, rng)
        regression = LogisticRegression(
            C=1 / self.config.l2_penalty,
            max_iter=200,
        )
        regression.fit(pairs.interactions, pairs.is_chosen)
        self._set_parameters(
            vectors,
            weight=regression.coef_[0].astype(np.float32),
            bias=regression.intercept_.astype(np.float32),
        )

    def _compute_text_svd(
        self,
        texts: tuple[str, ...],
        rng: np.random.Generator,
    ) -> Float32Array:
        """Projects TF-IDF onto its largest singular vectors: float32 (items, dimensions), rows of length one."""
        min_items = self.config.min_items if len(texts) >= _SMALL_CATALOGUE else 1
        vectorizer = TfidfVectorizer.fit(
            texts,
            min_items=min_items,
            max_terms=self.config.max_terms,
        )
        tfidf = vectorizer.transform(texts)
        if tfidf.nnz == 0:
            raise InsufficientDataError("no item has a text")
        n_components = min(self.config.dimensions, *tfidf.shape)
        seed = int(rng.integers(2**31))
        _, _, components = randomized_svd(
            tfidf,
            n_components,
            random_state=seed,
        )
        return normalize_rows(np.asarray(tfidf @ components.T, dtype=np.float32))

    def _sample_pairs(
        self,
        histories: Histories,
        rng: np.random.Generator,
    ) -> TrainingPairs:
        """Samples observed events with the features of the events before them, and random negatives for each."""
        event_positions = np.arange(len(histories.item))
        row_starts = np.repeat(histories.indptr[:-1], histories.lengths)
        # The first event of a history has no events before it.
        targets = np.flatnonzero(event_positions > row_starts)
        if len(targets) > self.config.max_pairs:
            targets = np.sort(
                rng.choice(
                    targets,
                    self.config.max_pairs,
                    replace=False,
                )
            )
        # x_u is computed from the events before the target: with the target it would contain the answer.
        prefixes = histories.slice_prefixes(targets, max_length=self.config.history)
        user_features = self.compute_user_features(prefixes)
        # Column 0 holds the chosen item, the others random ones, which may rarely be the chosen item again.
        items = np.empty((len(targets), 1 + self.config.negatives), np.int64)
        items[:, 0] = histories.item[targets]
        items[:, 1:] = rng.integers(0, self.items, (len(targets), self.config.negatives))
        # (pairs, 1, dimensions) * (pairs, 1 + negatives, dimensions)
        interactions = user_features[:, None, :] * self._vectors[items]
        is_chosen = np.zeros(items.shape, np.int64)
        is_chosen[:, 0] = 1
        return TrainingPairs(interactions.reshape(-1, user_features.shape[1]), is_chosen.ravel())


def append_review_features(
    vectors: Float32Array,
    review_features: ItemReviewFeatures | None,
) -> Float32Array:
    """Appends review features as further columns and scales the rows to length one.

    The review features of items that have some get a root mean square length of `_REVIEW_FEATURE_SCALE`. Without
    any review feature the vectors are returned unchanged.
    """
    if review_features is None or not review_features.has_values:
        return vectors
    features = review_features.to_matrix()
    squared_lengths = (features**2).sum(axis=1)
    has_features = features.any(axis=1)
    typical_length = float(np.sqrt(squared_lengths[has_features].mean()))
    scaled = features * np.float32(_REVIEW_FEATURE_SCALE / typical_length)
    return normalize_rows(np.column_stack([vectors, scaled]).astype(np.float32))
