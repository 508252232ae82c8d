"""Learns the second stage from validation cases, and whether it is worth having. Loads scikit-learn and onnx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.reranker import (
    FEATURES_INPUT,
    N_CANDIDATES,
    GradientBoostedReranker,
    build_candidate_features,
)
from recommender.evaluation.metrics import is_significantly_better, ndcg_at_k
from recommender.fitting.blend_weights import PADDING_SCORE, CandidateScores
from recommender.types import BoolArray, Float32Array, Int64Array

LOGIT_WEIGHTS = (0.2, 0.5, 1.5, 5.0)
MIN_CASES = 400
MAX_CASES = 30_000
# Of the items around a target, so many are read; all of them taught no better order.
NEGATIVE_SAMPLE_RATE = 0.3


@dataclass(frozen=True)
class CandidateLists:
    """The first places of each case by the blend: evidence (cases, places, columns), blended scores (cases, places),
    where the target stands among them (-1: nowhere), and its rank in the whole catalogue."""

    features: Float32Array
    blended_scores: Float32Array
    target_position: Int64Array
    target_rank: Int64Array

    def __len__(self) -> int:
        return len(self.target_rank)

    def take(self, rows: Int64Array) -> CandidateLists:
        return CandidateLists(
            self.features[rows], self.blended_scores[rows], self.target_position[rows], self.target_rank[rows]
        )

    def rerank_targets(self, logits: Float32Array, logit_weight: float) -> Int64Array:
        """The target's rank once the places are dealt out by blended score and logit; ties against it."""
        said = self.blended_scores + np.float32(logit_weight) * logits
        rows = np.flatnonzero(self.target_position >= 0)
        wanted = said[rows, self.target_position[rows]]
        out = self.target_rank.copy()
        out[rows] = (said[rows] >= wanted[:, None]).sum(axis=1) - 1
        return out


@dataclass(frozen=True)
class RerankerTrial:
    """Mean nDCG on held-out cases with and without the second stage; `ranker` is None where it does not serve."""

    reranker: GradientBoostedReranker | None
    ndcg_without: float
    ndcg_held_out: float | None
    n_cases: int

    def to_json(self) -> dict[str, Any]:
        return {
            "served": self.reranker is not None,
            "mix": self.reranker.logit_weight if self.reranker else None,
            "ndcg_without": self.ndcg_without,
            "ndcg_held_out": self.ndcg_held_out,
            "cases": self.n_cases,
        }


def fit_reranker_if_better(
    candidate_scores: CandidateScores, blend: Blend, *, k: int, rng: np.random.Generator
) -> RerankerTrial:
    """Trees grown on each half of the cases order the other half.

    They serve where that order is better than the blend's own beyond chance: where the lower end of the 95% interval
    of the paired difference in nDCG@k is above zero. What serves is grown on all cases."""
    cases = select_top_candidates(candidate_scores, blend)
    before = ndcg_at_k(cases.target_rank, k)
    without = float(before.mean()) if len(cases) else 0.0
    if (cases.target_position >= 0).sum() < MIN_CASES:
        return RerankerTrial(None, without, None, len(cases))
    logits = np.empty(cases.blended_scores.shape, np.float32)
    half = np.arange(len(cases)) % 2 == 0
    for asked in (half, ~half):
        trees = fit_trees(cases.take(np.flatnonzero(~asked)), rng)
        known = cases.features[asked]
        with threadpool_limits(1, "openmp"):
            said = trees.decision_function(known.reshape(-1, known.shape[2]))
        logits[asked] = said.reshape(known.shape[:2])
    mix = max(
        LOGIT_WEIGHTS, key=lambda value: float(ndcg_at_k(cases.rerank_targets(logits, value), k).mean())
    )
    after = ndcg_at_k(cases.rerank_targets(logits, mix), k)
    serves = is_significantly_better(after, before, rng)
    members = tuple(name for name in candidate_scores.model_names if blend.weights.get(name))
    ranker = GradientBoostedReranker(members, mix, export_trees(fit_trees(cases, rng))) if serves else None
    return RerankerTrial(ranker, without, float(after.mean()), len(cases))


def select_top_candidates(candidate_scores: CandidateScores, blend: Blend) -> CandidateLists:
    """Of at most MOST_CASES cases, evenly chosen."""
    sample = candidate_scores.slice_cases(max(1, -(-candidate_scores.n_cases // MAX_CASES)))
    weights = np.array([blend.weights.get(name, 0.0) for name in sample.model_names])
    width = min([N_CANDIDATES, *(part.shape[2] for part in sample.chunks)])
    read = zip(
        sample.chunks,
        sample.combine_scores(weights),
        sample.query_features,
        sample.target_in_history,
        strict=True,
    )
    # Read part by part: a copy of the whole would double the memory of the rehearsal.
    rows = [place for place, weight in enumerate(weights) if weight]
    parts = [
        _build_candidate_lists(part[rows], blended, about, again, width)
        for part, blended, about, again in read
    ]
    return CandidateLists(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.blended_scores for part in parts]),
        np.concatenate([part.target_position for part in parts]),
        np.concatenate([part.target_rank for part in parts]),
    )


def _build_candidate_lists(
    model_scores: Float32Array,
    blended_scores: Float32Array,
    query_features: Float32Array,
    target_in_history: BoolArray,
    width: int,
) -> CandidateLists:
    rank = (blended_scores[:, 1:] >= blended_scores[:, :1]).sum(axis=1)
    # Read from the back, so that the target in column 0 stands behind what ties with it.
    last = blended_scores.shape[1] - 1
    order = last - np.argsort(-blended_scores[:, ::-1], axis=1, kind="stable")[:, :width]
    found = np.take_along_axis(blended_scores, order, axis=1)
    known = build_candidate_features(
        np.take_along_axis(model_scores, order[None], axis=2), found, query_features
    )
    # An item of the history is not put in another place when served.
    found_at = np.where((order == 0).any(axis=1) & ~target_in_history, (order == 0).argmax(axis=1), -1)
    return CandidateLists(known, found, found_at, rank)


def fit_trees(candidate_lists: CandidateLists, rng: np.random.Generator) -> HistGradientBoostingClassifier:
    """Trees that tell the target from OTHERS of the items around it (Friedman 2001, gradient boosting)."""
    candidate_lists = candidate_lists.take(np.flatnonzero(candidate_lists.target_position >= 0))
    wanted = np.zeros(candidate_lists.blended_scores.shape, np.bool_)
    wanted[np.arange(len(candidate_lists)), candidate_lists.target_position] = True
    read = wanted | (
        (rng.random(wanted.shape) < NEGATIVE_SAMPLE_RATE)
        & (candidate_lists.blended_scores > PADDING_SCORE / 2)
    )
    trees = HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.12, max_leaf_nodes=15, min_samples_leaf=40, l2_regularization=10.0,
        early_stopping=False, random_state=int(rng.integers(2**31)),
    )  # fmt: skip
    # One thread: sums then have one order, and on a busy machine several would mostly wait for each other.
    with threadpool_limits(1, "openmp"):
        trees.fit(candidate_lists.features[read], wanted[read])
    return trees


def export_trees(trees: HistGradientBoostingClassifier) -> bytes:
    """ONNX: `features` float32 (rows, columns) to `logit` float32 (rows, 1), as decision_function."""
    nodes: dict[str, list[Any]] = {name: [] for name in _NODE_ATTRIBUTES}
    leaves: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "weights": []}
    for number, (tree,) in enumerate(trees._predictors):
        for place, node in enumerate(tree.nodes):
            leaf = bool(node["is_leaf"])
            nodes["treeids"].append(number)
            nodes["nodeids"].append(place)
            nodes["featureids"].append(0 if leaf else int(node["feature_idx"]))
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
            nodes["values"].append(0.0 if leaf else float(_float32_floor(node["num_threshold"])))
            nodes["truenodeids"].append(0 if leaf else int(node["left"]))
            nodes["falsenodeids"].append(0 if leaf else int(node["right"]))
            if leaf:
                leaves["treeids"].append(number)
                leaves["nodeids"].append(place)
                leaves["weights"].append(float(node["value"]))
    settings: dict[str, Any] = {
        "n_targets": 1,
        "base_values": [float(np.ravel(trees._baseline_prediction)[0])],
        "target_ids": [0] * len(leaves["weights"]),
        **{f"nodes_{name}": values for name, values in nodes.items()},
        **{f"target_{name}": values for name, values in leaves.items()},
    }
    operator = helper.make_node(
        "TreeEnsembleRegressor", [FEATURES_INPUT], ["logit"], domain="ai.onnx.ml", **settings
    )
    graph = helper.make_graph(
        [operator],
        "second_stage",
        [helper.make_tensor_value_info(FEATURES_INPUT, TensorProto.FLOAT, ["rows", trees.n_features_in_])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["rows", 1])],
    )
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=10)
    checker.check_model(model)
    return bytes(model.SerializeToString())


_NODE_ATTRIBUTES = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")


def _float32_floor(threshold: float) -> np.float32:
    """The greatest float32 not above it: for a float32 x the same comparison."""
    near = np.float32(threshold)
    return near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf))
