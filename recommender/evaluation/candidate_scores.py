"""Validation scores of all models, restricted to the items that can change nDCG@10: input of the weight search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.reranker import compute_query_features
from recommender.evaluation.metrics import ndcg_at_k
from recommender.types import BoolArray, Float32Array, Float64Array, Histories, Int32Array, Int64Array

CANDIDATES_PER_MODEL = 150
PADDING_SCORE = -1e9


@dataclass
class CandidateScores:
    """Z-scores of the candidates of each case, in chunks of cases.

    The candidates of a case are its target (column 0) and the union of every model's best CANDIDATES_PER_MODEL items
    outside the history. An item outside every model's best can hardly be among the first ten of a blend with weights
    of at least zero, so the search over weights reads no other item.

    chunks: float32 (models, cases, candidates); PADDING_SCORE fills cases that have fewer candidates.
    query_features: float32 (cases, features), features of the history for the reranker.
    target_in_history: bool (cases,), whether the history contains the target.
    """

    model_names: tuple[str, ...]
    chunks: list[Float32Array] = field(default_factory=list)
    query_features: list[Float32Array] = field(default_factory=list)
    target_in_history: list[BoolArray] = field(default_factory=list)

    def add_batch(
        self,
        scores: Mapping[str, Float32Array],
        top_items: Mapping[str, Int32Array],
        target: Int32Array,
        histories: Histories,
    ) -> None:
        """Adds a chunk.

        Args:
            scores: by model name, z-scores (cases, items).
            top_items: by model name, the best items of each case outside its history (cases, n), -1 for none.
            target: item numbers (cases,).
            histories: one history for each case.
        """
        cases = np.arange(len(target))
        is_candidate = self._mask_candidates(top_items, target, scores[self.model_names[0]].shape)
        counts = is_candidate.sum(axis=1)
        shape = (len(self.model_names), len(cases), int(counts.max(initial=0)) + 1)
        chunk = np.full(shape, PADDING_SCORE, np.float32)
        row, item = np.nonzero(is_candidate)
        # Candidates of a case are consecutive in `row`: position within the case + 1, because column 0 is the target.
        # Counts [2, 3] give row [0, 0, 1, 1, 1] and column [1, 2, 1, 2, 3].
        first_of_case = np.repeat(np.cumsum(counts) - counts, counts)
        column: Int64Array = np.arange(len(row)) - first_of_case + 1
        for number, name in enumerate(self.model_names):
            chunk[number, :, 0] = scores[name][cases, target]
            chunk[number, row, column] = scores[name][row, item]
        self.chunks.append(chunk)
        self.query_features.append(compute_query_features(scores, histories))
        self.target_in_history.append(_mask_repeated_targets(histories, target))

    def _mask_candidates(
        self, top_items: Mapping[str, Int32Array], target: Int32Array, shape: tuple[int, ...]
    ) -> BoolArray:
        """Mask (cases, items) of the candidates except for the targets."""
        is_candidate = np.zeros(shape, dtype=np.bool_)
        for name in self.model_names:
            # Position -1 marks the end of a shorter list.
            row, position = np.nonzero(top_items[name] >= 0)
            item = top_items[name][row, position]
            is_candidate[row, item] = True
        is_candidate[np.arange(len(target)), target] = False
        return is_candidate

    def combine_scores(self, weights: Float64Array) -> list[Float32Array]:
        """Weighted sums over the models, float32 (cases, candidates) for each chunk."""
        # Contracts the model axis of each chunk.
        weights32 = weights.astype(np.float32)
        return [np.tensordot(weights32, chunk, axes=1) for chunk in self.chunks]

    def compute_ndcg(self, weights: Float64Array, k: int) -> float:
        """Mean nDCG@k of the blend with these weights."""
        return compute_mean_ndcg(self.combine_scores(weights), k)

    def get_weights(self, blend: Blend) -> Float64Array:
        """The weights of a blend in the order of `model_names`, zero for models that it does not use."""
        return np.array([blend.weights.get(name, 0.0) for name in self.model_names])

    def compute_blend_ndcg(self, blend: Blend, k: int) -> float:
        """Mean nDCG@k of a blend."""
        return self.compute_ndcg(self.get_weights(blend), k)

    def select_models(self, model_names: Sequence[str]) -> CandidateScores:
        """The same cases and candidates with the scores of these models only."""
        rows = [self.model_names.index(name) for name in model_names]
        return CandidateScores(
            model_names=tuple(model_names),
            chunks=[chunk[rows] for chunk in self.chunks],
            query_features=self.query_features,
            target_in_history=self.target_in_history,
        )

    def slice_cases(self, step: int) -> CandidateScores:
        """Every `step`-th case of each chunk."""
        return CandidateScores(
            model_names=self.model_names,
            chunks=[chunk[:, ::step] for chunk in self.chunks],
            query_features=[features[::step] for features in self.query_features],
            target_in_history=[in_history[::step] for in_history in self.target_in_history],
        )

    def limit_cases(self, max_cases: int) -> CandidateScores:
        """About `max_cases` evenly spaced cases; all of them where there are fewer."""
        # Ceiling division.
        step = -(-self.n_cases // max_cases)
        return self.slice_cases(max(1, step))

    @property
    def n_cases(self) -> int:
        """Number of cases over all chunks."""
        return sum(chunk.shape[1] for chunk in self.chunks)


def compute_mean_ndcg(blended_scores: Sequence[Float32Array], k: int) -> float:
    """Mean nDCG@k over chunks (cases, candidates) whose column 0 is the target; ties count against the target."""
    total, n_cases = 0.0, 0
    for chunk in blended_scores:
        target_scores, other_scores = chunk[:, :1], chunk[:, 1:]
        ranks = (other_scores >= target_scores).sum(axis=1)
        total += float(ndcg_at_k(ranks, k).sum())
        n_cases += len(chunk)
    return total / n_cases if n_cases else 0.0


def _mask_repeated_targets(histories: Histories, target: Int32Array) -> BoolArray:
    """Which histories contain their target, shape (cases,)."""
    # The case of each event, and whether the event is of the target of its case.
    event_case = histories.row_ids()
    is_target_event = histories.item == target[event_case]
    is_repeated = np.zeros(len(target), dtype=np.bool_)
    is_repeated[event_case[is_target_event]] = True
    return is_repeated
