"""Reranking of the blend's best candidates by gradient-boosted trees. No torch, no scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnxruntime

from recommender.algorithms.base import top_k
from recommender.algorithms.popularity.popularity import Popularity
from recommender.onnx.session import create_session
from recommender.types import Float32Array, Histories

N_CANDIDATES = 100
MAX_HISTORY_LENGTH = 50
# Name of the ONNX input, shared with the export in fitting.reranker_export.
FEATURES_INPUT = "features"
# Columns of build_candidate_features that describe the blended score and the rank, beside those of models and query.
_N_BLEND_FEATURES = 3


@dataclass(frozen=True)
class GradientBoostedReranker:
    """Trees that map candidate features to a logit, which is added to the blended score.

    model_names: Models whose z-scores are features, in the order of the feature columns.
    logit_weight: Weight of the logit relative to the blended score.
    trees: ONNX from `features` float32 (rows, columns) to the logit float32 (rows, 1).
    """

    model_names: tuple[str, ...]
    logit_weight: float
    trees: bytes

    def __post_init__(self) -> None:
        # Damaged trees fail here, when a model is loaded, and not at the first request.
        _ = self._session

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return create_session(self.trees)

    def compute_logits(self, features: Float32Array) -> Float32Array:
        """Computes the logits of candidates: float32 (rows, candidates) from features (rows, candidates, columns)."""
        flat = np.ascontiguousarray(features.reshape(-1, features.shape[-1]))
        logits: Float32Array = self._session.run(None, {FEATURES_INPUT: flat})[0]
        return logits.reshape(features.shape[:-1])

    def rerank(
        self,
        blended: Float32Array,
        z_scores: Mapping[str, Float32Array],
        histories: Histories,
    ) -> None:
        """Reorders the best unseen items of each row by blended score plus weighted logit, in place.

        The top `N_CANDIDATES` unseen items keep the same set of scores; only which item has which score changes. Scores
        that are compared with them or added to them therefore mean the same as before. Rows with an empty history
        stay as they are: the trees were not trained on such rows.

        Args:
            blended: float32 (rows, items), overwritten.
            z_scores: By model name float32 (rows, items).
            histories: Clean histories of the rows.
        """
        rows = np.flatnonzero(histories.lengths)
        if not len(rows):
            return
        unseen = blended[rows]
        seen_rows = np.repeat(np.arange(len(rows)), histories.lengths[rows])
        unseen[seen_rows, histories.item] = -np.inf
        candidates = top_k(unseen, min(N_CANDIDATES, unseen.shape[1]))
        # Rows with fewer unseen items than candidates are padded: with item 0 and score 0, sorted to the end below.
        is_candidate = candidates.items >= 0
        items = np.where(is_candidate, candidates.items, 0)
        blended_scores = np.where(is_candidate, candidates.scores, 0)
        row_of_candidate = np.broadcast_to(rows[:, None], items.shape)
        features = build_candidate_features(
            model_scores=np.stack([z_scores[name][row_of_candidate, items] for name in self.model_names]),
            blended=blended_scores,
            query_features=compute_query_features(z_scores, histories)[rows],
        )
        adjusted = blended_scores + np.float32(self.logit_weight) * self.compute_logits(features)
        # Stable, so that ties keep the order of the blend.
        order = np.argsort(
            np.where(is_candidate, -adjusted, np.inf),
            axis=1,
            kind="stable",
        )
        reordered_items = np.take_along_axis(items, order, axis=1)
        # The r-th best score goes to the item of rank r in the new order.
        blended[row_of_candidate[is_candidate], reordered_items[is_candidate]] = candidates.scores[
            is_candidate
        ]


def compute_query_features(
    z_scores: Mapping[str, Float32Array],
    histories: Histories,
) -> Float32Array:
    """Computes the features of each history, float32 (rows, 2).

    Column 0 is the length of the history, at most `MAX_HISTORY_LENGTH`; column 1 the popularity z-score of its latest
    item, zero without a popularity model or for an empty history.
    """
    features = np.zeros((len(histories), 2), np.float32)
    features[:, 0] = np.minimum(histories.lengths, MAX_HISTORY_LENGTH)
    rows = np.flatnonzero(histories.lengths)
    if Popularity.name in z_scores:
        latest_items = histories.item[histories.indptr[1:][rows] - 1]
        features[rows, 1] = z_scores[Popularity.name][rows, latest_items]
    return features


def build_candidate_features(
    model_scores: Float32Array,
    blended: Float32Array,
    query_features: Float32Array,
) -> Float32Array:
    """Builds the features of candidates, float32 (rows, candidates, columns).

    Args:
        model_scores: z-scores, float32 (models, rows, candidates).
        blended: Blended scores, float32 (rows, candidates), best first.
        query_features: float32 (rows, query columns).

    Returns:
        Columns in this order: the z-score of each model; its distance from the best candidate of the row; the blended
        score; its distance from the best; the rank; the query features.
    """
    n_models, n_rows, n_candidates = model_scores.shape
    n_columns = 2 * n_models + _N_BLEND_FEATURES + query_features.shape[1]
    features = np.empty((n_rows, n_candidates, n_columns), np.float32)
    # Views into the columns, filled without temporary arrays.
    scores = features[..., :n_models]
    gaps = features[..., n_models : 2 * n_models]
    shared = features[..., 2 * n_models :]
    scores[:] = model_scores.transpose(1, 2, 0)
    np.subtract(
        scores,
        scores.max(axis=1, keepdims=True),
        out=gaps,
    )
    shared[..., 0] = blended
    shared[..., 1] = blended - blended[:, :1]
    shared[..., 2] = np.arange(n_candidates)
    shared[..., _N_BLEND_FEATURES:] = query_features[:, None]
    return features
