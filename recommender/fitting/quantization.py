"""Chooses on validation events which models are served in a quantized form, and quantizes them."""

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
    models: ModelsByName,
    blend: Blend,
    split: Split,
    *,
    k: int,
    max_relative_loss: float = MAX_RELATIVE_LOSS,
) -> dict[str, Any]:
    """Chooses the models to quantize.

    All of them, unless the blend then loses more than `max_relative_loss` of its nDCG@k. In that case the model whose
    quantization alone loses most is kept in full precision, then the next one, until the loss is within the limit. The
    reranker is not applied, because it was fitted on the same cases.

    Args:
        models: fitted models by name.
        blend: their weights; models without weight are not considered.
        split: validation cases, of which at most MAX_CASES are used.
        k: length of the evaluated lists.
        max_relative_loss: limit of the relative loss.

    Returns:
        The entry "quantization" of the training report: cases, limit, ndcg@k_before, ndcg@k_after, and models with the
        flag "compressed" by name.
    """
    split = split.sample_cases(MAX_CASES, np.random.default_rng(0))
    original = {name: model for name, model in models.items() if blend.weights.get(name)}
    quantized = {name: model.quantize() for name, model in original.items()}
    ndcg_before = _evaluate_ndcg(original, blend, split, k)
    selected = set(original)
    ndcg_after = _evaluate_ndcg(quantized, blend, split, k)
    ndcg_alone: dict[str, float] = {}
    while selected and ndcg_after < ndcg_before * (1 - max_relative_loss):
        if not ndcg_alone:
            for name in original:
                ndcg_alone[name] = _evaluate_ndcg(original | {name: quantized[name]}, blend, split, k)
        selected.remove(min(selected, key=lambda name: ndcg_alone[name]))
        mixed = dict(original)
        for name in selected:
            mixed[name] = quantized[name]
        ndcg_after = _evaluate_ndcg(mixed, blend, split, k)
    return {
        "cases": len(split),
        "limit": max_relative_loss,
        f"ndcg@{k}_before": ndcg_before,
        f"ndcg@{k}_after": ndcg_after,
        "models": {name: {"compressed": name in selected} for name in original},
    }


def quantize_ensemble(ensemble: Ensemble) -> Ensemble:
    """Quantizes the models that the training report selects; the others stay as they are.

    The training report of the result has sizes in files and in memory before and after, for each model. An ensemble
    without the entry "quantization" in its report is returned unchanged.
    """
    quantization = ensemble.training_report.get("quantization")
    if not quantization:
        return ensemble
    selected = quantization.get("models", {})
    sizes: dict[str, Any] = {}
    models = dict(ensemble.models)
    for name, model in ensemble.models.items():
        if selected.get(name, {}).get("compressed"):
            models[name] = model.quantize()
        sizes[name] = _compare_sizes(model, models[name])
    training_report = {**ensemble.training_report, "quantization": {**quantization, "models": sizes}}
    return replace(ensemble, models=models, training_report=training_report)


def _compare_sizes(original: Recommender[Any], quantized: Recommender[Any]) -> dict[str, Any]:
    file_bytes_before = _count_file_bytes(original)
    file_bytes_after = _count_file_bytes(quantized)
    return {
        "compressed": file_bytes_after < file_bytes_before,
        "file_bytes_before": file_bytes_before,
        "file_bytes_after": file_bytes_after,
        "memory_bytes_before": measure_memory_bytes(original),
        "memory_bytes_after": measure_memory_bytes(quantized),
    }


def _count_file_bytes(model: Recommender[Any]) -> int:
    return sum(map(len, model.to_files().values()))


def _evaluate_ndcg(
    models: ModelsByName,
    blend: Blend,
    split: Split,
    k: int,
) -> float:
    ranks = evaluate_blend(models, blend, split, k=k).collect_ranks()
    return float(ndcg_at_k(ranks, k).mean()) if len(ranks) else 0.0
