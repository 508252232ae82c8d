"""Exports gradient-boosted trees of scikit-learn to ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper
from sklearn.ensemble import HistGradientBoostingClassifier

from recommender.algorithms.ensemble.reranker import FEATURES_INPUT

OUTPUT_NAME = "logit"
# Attributes of the operator TreeEnsembleRegressor: one list each, with an element for every node or leaf of all trees.
_NODE_ATTRIBUTES = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
_LEAF_ATTRIBUTES = ("treeids", "nodeids", "weights")


def export_trees(trees: HistGradientBoostingClassifier) -> bytes:
    """An ONNX model from `features` float32 (rows, features) to `logit` float32 (rows, 1), as `decision_function`."""
    nodes: dict[str, list[Any]] = {name: [] for name in _NODE_ATTRIBUTES}
    leaves: dict[str, list[Any]] = {name: [] for name in _LEAF_ATTRIBUTES}
    # One predictor per boosting iteration; binary classification has one tree in each.
    for tree_id, (tree,) in enumerate(trees._predictors):
        for node_id, node in enumerate(tree.nodes):
            nodes["treeids"].append(tree_id)
            nodes["nodeids"].append(node_id)
            if node["is_leaf"]:
                _append_node(
                    nodes,
                    mode="LEAF",
                    feature=0,
                    threshold=0.0,
                    true_node=0,
                    false_node=0,
                )
                leaves["treeids"].append(tree_id)
                leaves["nodeids"].append(node_id)
                leaves["weights"].append(float(node["value"]))
            else:
                _append_node(
                    nodes,
                    mode="BRANCH_LEQ",
                    feature=int(node["feature_idx"]),
                    threshold=float(_float32_floor(node["num_threshold"])),
                    true_node=int(node["left"]),
                    false_node=int(node["right"]),
                )
    attributes: dict[str, Any] = {
        "n_targets": 1,
        "base_values": [float(np.ravel(trees._baseline_prediction)[0])],
        "target_ids": [0] * len(leaves["weights"]),
    }
    attributes |= {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in leaves.items()}
    return _build_onnx_model(attributes, n_features=trees.n_features_in_)


def _append_node(
    nodes: dict[str, list[Any]],
    *,
    mode: str,
    feature: int,
    threshold: float,
    true_node: int,
    false_node: int,
) -> None:
    nodes["modes"].append(mode)
    nodes["featureids"].append(feature)
    nodes["values"].append(threshold)
    nodes["truenodeids"].append(true_node)
    nodes["falsenodeids"].append(false_node)


def _build_onnx_model(attributes: dict[str, Any], *, n_features: int) -> bytes:
    operator = helper.make_node(
        "TreeEnsembleRegressor",
        [FEATURES_INPUT],
        [OUTPUT_NAME],
        domain="ai.onnx.ml",
        **attributes,
    )
    graph = helper.make_graph(
        [operator],
        "reranker",
        [helper.make_tensor_value_info(FEATURES_INPUT, TensorProto.FLOAT, ["rows", n_features])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["rows", 1])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _float32_floor(threshold: float) -> np.float32:
    """The largest float32 that is not above the threshold: `x <= threshold` is the same for every float32 x."""
    rounded = np.float32(threshold)
    if float(rounded) <= threshold:
        return rounded
    return np.float32(np.nextafter(rounded, np.float32(-np.inf)))
