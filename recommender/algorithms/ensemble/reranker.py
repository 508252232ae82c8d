"""The second stage: boosted trees that put the first places of the blend in a better order. No torch, no scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnxruntime

from recommender.algorithms.base import top_k
from recommender.algorithms.popularity.popularity import Popularity
from recommender.types import Float32Array, Histories

N_CANDIDATES = 100
MAX_HISTORY_LENGTH = 50


@dataclass(frozen=True)
class GradientBoostedReranker:
    """`trees` is ONNX from evidence() to a logit; `mix` is what the logit counts beside the blended score.

    `members` names the standardised scores it reads, in order."""

    model_names: tuple[str, ...]
    logit_weight: float
    trees: bytes
    _session: onnxruntime.InferenceSession = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(self.trees, options, providers=["CPUExecutionProvider"])
        object.__setattr__(self, "_session", session)

    def compute_logits(self, features: Float32Array) -> Float32Array:
        """float32 (rows, places) from evidence (rows, places, columns)."""
        flat = np.ascontiguousarray(features.reshape(-1, features.shape[-1]))
        said: Float32Array = self._session.run(None, {"features": flat})[0]
        return said.reshape(features.shape[:-1])

    def rerank(self, blended: Float32Array, scores: Mapping[str, Float32Array], histories: Histories) -> None:
        """Deals the scores of each row's first places, its history apart, out again in the better order; in place.

        Both float32 (rows, items), `scores` standardised. The set of the first places and their scores stay as they
        are, so that what is added to or compared with blended scores means the same as before. An empty history has
        taught the trees nothing: its order stays."""
        rows = np.flatnonzero(histories.lengths)
        if not len(rows):
            return
        unseen = blended[rows]
        lengths = histories.lengths[rows]
        unseen[np.repeat(np.arange(len(rows)), lengths), histories.item] = -np.inf
        first = top_k(unseen, min(N_CANDIDATES, unseen.shape[1]))
        there = first.items >= 0
        items = np.where(there, first.items, 0)
        owner = np.broadcast_to(rows[:, None], items.shape)
        part = np.stack([scores[name][owner, items] for name in self.model_names])
        found = np.where(there, first.scores, 0)
        said = found + np.float32(self.logit_weight) * self.compute_logits(
            build_candidate_features(part, found, compute_query_features(scores, histories)[rows])
        )
        order = np.argsort(np.where(there, -said, np.inf), axis=1, kind="stable")
        better = np.take_along_axis(items, order, axis=1)
        blended[owner[there], better[there]] = first.scores[there]


def compute_query_features(scores: Mapping[str, Float32Array], histories: Histories) -> Float32Array:
    """float32 (rows, 2): the length of each history and how popular its latest item is, zero where nobody counted."""
    out = np.zeros((len(histories), 2), np.float32)
    out[:, 0] = np.minimum(histories.lengths, MAX_HISTORY_LENGTH)
    rows = np.flatnonzero(histories.lengths)
    if Popularity.name in scores:
        latest = histories.item[histories.indptr[1:][rows] - 1]
        out[rows, 1] = scores[Popularity.name][rows, latest]
    return out


def build_candidate_features(
    model_scores: Float32Array, blended: Float32Array, query_features: Float32Array
) -> Float32Array:
    """float32 (rows, places, columns): what is known of each candidate, the best by `blended` (rows, places) first.

    part (members, rows, places) holds standardised scores: each as it is and by how far it is behind the best of its
    row; then the blended score, its distance from the best, the place, and the situation (rows, 2)."""
    members, count, width = model_scores.shape
    known = np.empty((count, width, 2 * members + 3 + query_features.shape[1]), np.float32)
    score, behind, rest = known[..., :members], known[..., members : 2 * members], known[..., 2 * members :]
    score[:] = model_scores.transpose(1, 2, 0)
    np.subtract(score, score.max(axis=1, keepdims=True), out=behind)
    rest[..., 0] = blended
    rest[..., 1] = blended - blended[:, :1]
    rest[..., 2] = np.arange(width)
    rest[..., 3:] = query_features[:, None]
    return known
