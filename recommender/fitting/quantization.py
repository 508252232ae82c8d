"""What serving in fewer bytes costs, measured on hidden events; what would cost too much is served as it was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.dataset import Split
from recommender.evaluation.evaluator import evaluate_blend
from recommender.evaluation.metrics import ndcg_at_k

MAX_RELATIVE_LOSS = 0.01
MAX_CASES = 4_000

ModelsByName = Mapping[str, Recommender[Any]]


def select_quantized_models(
    models: ModelsByName, blend: Blend, split: Split, *, k: int, max_relative_loss: float = MAX_RELATIVE_LOSS
) -> dict[str, Any]:
    """Which blended members are served compressed, and what that costs: what stands in card["compression"].

    All of them, unless the blend loses more than `limit` of its nDCG@k. Then the member that loses most alone is kept
    as trained, and so on until the loss is within the limit. At most MOST_CASES cases are asked, without the second
    stage, which has learned from them."""
    split = split.sample_cases(MAX_CASES, np.random.default_rng(0))
    counted = {name: member for name, member in models.items() if blend.weights.get(name)}
    small = {name: member.quantize() for name, member in counted.items()}
    before = _evaluate_ndcg(counted, blend, split, k)
    chosen = set(counted)
    after = _evaluate_ndcg(small, blend, split, k)
    alone: dict[str, float] = {}
    while chosen and after < before * (1 - max_relative_loss):
        alone = alone or {
            name: _evaluate_ndcg(counted | {name: small[name]}, blend, split, k) for name in counted
        }
        chosen.remove(min(chosen, key=lambda name: alone[name]))
        after = _evaluate_ndcg(counted | {name: small[name] for name in chosen}, blend, split, k)
    return {
        "cases": len(split),
        "limit": max_relative_loss,
        f"ndcg@{k}_before": before,
        f"ndcg@{k}_after": after,
        "members": {name: {"compressed": name in chosen} for name in counted},
    }


def quantize_ensemble(ensemble: Ensemble) -> Ensemble:
    """The ensemble as it is served: the members chosen in its card in fewer bytes, the others as they are.

    Its card says for each member how large its files and its arrays in memory were and are."""
    card = ensemble.training_report.get("compression") or {}
    told: dict[str, Any] = {}
    members = dict(ensemble.models)
    for name, member in ensemble.models.items():
        if card.get("members", {}).get(name, {}).get("compressed"):
            members[name] = member.quantize()
        told[name] = _compare_sizes(member, members[name])
    if not card:
        return ensemble
    return replace(
        ensemble,
        models=members,
        training_report={**ensemble.training_report, "compression": {**card, "members": told}},
    )


def _compare_sizes(original: Recommender[Any], quantized: Recommender[Any]) -> dict[str, Any]:
    return {
        "compressed": _count_file_bytes(quantized) < _count_file_bytes(original),
        "file_bytes_before": _count_file_bytes(original),
        "file_bytes_after": _count_file_bytes(quantized),
        "memory_bytes_before": measure_memory_bytes(original),
        "memory_bytes_after": measure_memory_bytes(quantized),
    }


def _count_file_bytes(model: Recommender[Any]) -> int:
    return sum(map(len, model.to_files().values()))


def _evaluate_ndcg(models: ModelsByName, blend: Blend, split: Split, k: int) -> float:
    ranks = evaluate_blend(models, blend, split, k=k)["blend"].collect_ranks()
    return float(ndcg_at_k(ranks, k).mean()) if len(ranks) else 0.0
