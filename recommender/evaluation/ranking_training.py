"""Learns the second stage from validation cases, and whether it is worth having. Loads scikit-learn and onnx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from recommender.algorithms.blend import Blend
from recommender.algorithms.ranker import PLACES, Ranker, evidence
from recommender.evaluation.blending import NEVER, Rehearsal
from recommender.evaluation.metrics import beats, gains
from recommender.types import Bools, Floats, Longs

MIXES = (0.2, 0.5, 1.5, 5.0)
LEAST_CASES = 400
MOST_CASES = 30_000
# Of the items around a target, so many are read; all of them taught no better order.
OTHERS = 0.3


@dataclass(frozen=True)
class Places:
    """The first places of each case by the blend: evidence (cases, places, columns), blended scores (cases, places),
    where the target stands among them (-1: nowhere), and its rank in the whole catalogue."""

    evidence: Floats
    blended: Floats
    target: Longs
    rank: Longs

    def __len__(self) -> int:
        return len(self.rank)

    def take(self, rows: Longs) -> Places:
        return Places(self.evidence[rows], self.blended[rows], self.target[rows], self.rank[rows])

    def ranks(self, logits: Floats, mix: float) -> Longs:
        """The target's rank once the places are dealt out by blended score and logit; ties against it."""
        said = self.blended + np.float32(mix) * logits
        rows = np.flatnonzero(self.target >= 0)
        wanted = said[rows, self.target[rows]]
        out = self.rank.copy()
        out[rows] = (said[rows] >= wanted[:, None]).sum(axis=1) - 1
        return out


@dataclass(frozen=True)
class Trial:
    """Mean nDCG on held-out cases with and without the second stage; `ranker` is None where it does not serve."""

    ranker: Ranker | None
    without: float
    held_out: float | None
    cases: int

    def to_json(self) -> dict[str, Any]:
        return {
            "served": self.ranker is not None,
            "mix": self.ranker.mix if self.ranker else None,
            "ndcg_without": self.without,
            "ndcg_held_out": self.held_out,
            "cases": self.cases,
        }


def try_ranker(rehearsal: Rehearsal, blend: Blend, *, k: int, rng: np.random.Generator) -> Trial:
    """Trees grown on each half of the cases order the other half.

    They serve where that order is better than the blend's own beyond chance: where the lower end of the 95% interval
    of the paired difference in nDCG@k is above zero. What serves is grown on all cases."""
    cases = first_places(rehearsal, blend)
    before = gains(cases.rank, k)
    without = float(before.mean()) if len(cases) else 0.0
    if (cases.target >= 0).sum() < LEAST_CASES:
        return Trial(None, without, None, len(cases))
    logits = np.empty(cases.blended.shape, np.float32)
    half = np.arange(len(cases)) % 2 == 0
    for asked in (half, ~half):
        trees = grown(cases.take(np.flatnonzero(~asked)), rng)
        known = cases.evidence[asked]
        with threadpool_limits(1, "openmp"):
            said = trees.decision_function(known.reshape(-1, known.shape[2]))
        logits[asked] = said.reshape(known.shape[:2])
    mix = max(MIXES, key=lambda value: float(gains(cases.ranks(logits, value), k).mean()))
    after = gains(cases.ranks(logits, mix), k)
    serves = beats(after, before, rng)
    members = tuple(name for name in rehearsal.members if blend.weights.get(name))
    ranker = Ranker(members, mix, exported(grown(cases, rng))) if serves else None
    return Trial(ranker, without, float(after.mean()), len(cases))


def first_places(rehearsal: Rehearsal, blend: Blend) -> Places:
    """Of at most MOST_CASES cases, evenly chosen."""
    sample = rehearsal.every(max(1, -(-rehearsal.cases // MOST_CASES)))
    weights = np.array([blend.weights.get(name, 0.0) for name in sample.members])
    width = min([PLACES, *(part.shape[2] for part in sample.parts)])
    read = zip(sample.parts, sample.blended(weights), sample.situations, sample.again, strict=True)
    # Read part by part: a copy of the whole would double the memory of the rehearsal.
    rows = [place for place, weight in enumerate(weights) if weight]
    parts = [_places(part[rows], blended, about, again, width) for part, blended, about, again in read]
    return Places(
        np.concatenate([part.evidence for part in parts]),
        np.concatenate([part.blended for part in parts]),
        np.concatenate([part.target for part in parts]),
        np.concatenate([part.rank for part in parts]),
    )


def _places(part: Floats, blended: Floats, about: Floats, again: Bools, width: int) -> Places:
    rank = (blended[:, 1:] >= blended[:, :1]).sum(axis=1)
    # Read from the back, so that the target in column 0 stands behind what ties with it.
    last = blended.shape[1] - 1
    order = last - np.argsort(-blended[:, ::-1], axis=1, kind="stable")[:, :width]
    found = np.take_along_axis(blended, order, axis=1)
    known = evidence(np.take_along_axis(part, order[None], axis=2), found, about)
    # An item of the history is not put in another place when served.
    found_at = np.where((order == 0).any(axis=1) & ~again, (order == 0).argmax(axis=1), -1)
    return Places(known, found, found_at, rank)


def grown(cases: Places, rng: np.random.Generator) -> HistGradientBoostingClassifier:
    """Trees that tell the target from OTHERS of the items around it (Friedman 2001, gradient boosting)."""
    cases = cases.take(np.flatnonzero(cases.target >= 0))
    wanted = np.zeros(cases.blended.shape, np.bool_)
    wanted[np.arange(len(cases)), cases.target] = True
    read = wanted | ((rng.random(wanted.shape) < OTHERS) & (cases.blended > NEVER / 2))
    trees = HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.12, max_leaf_nodes=15, min_samples_leaf=40, l2_regularization=10.0,
        early_stopping=False, random_state=int(rng.integers(2**31)),
    )  # fmt: skip
    # One thread: sums then have one order, and on a busy machine several would mostly wait for each other.
    with threadpool_limits(1, "openmp"):
        trees.fit(cases.evidence[read], wanted[read])
    return trees


def exported(trees: HistGradientBoostingClassifier) -> bytes:
    """ONNX: `evidence` float32 (rows, columns) to `logit` float32 (rows, 1), as decision_function."""
    nodes: dict[str, list[Any]] = {name: [] for name in _NODE_ATTRIBUTES}
    leaves: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "weights": []}
    for number, (tree,) in enumerate(trees._predictors):
        for place, node in enumerate(tree.nodes):
            leaf = bool(node["is_leaf"])
            nodes["treeids"].append(number)
            nodes["nodeids"].append(place)
            nodes["featureids"].append(0 if leaf else int(node["feature_idx"]))
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
            nodes["values"].append(0.0 if leaf else float(_at_most(node["num_threshold"])))
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
        "TreeEnsembleRegressor", ["evidence"], ["logit"], domain="ai.onnx.ml", **settings
    )
    graph = helper.make_graph(
        [operator],
        "second_stage",
        [helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["rows", trees.n_features_in_])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["rows", 1])],
    )
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=10)
    checker.check_model(model)
    return bytes(model.SerializeToString())


_NODE_ATTRIBUTES = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")


def _at_most(threshold: float) -> np.float32:
    """The greatest float32 not above it: for a float32 x the same comparison."""
    near = np.float32(threshold)
    return near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf))
