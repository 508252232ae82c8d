"""Formats the evaluation of the education data as text with a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_platform.demo.education.evaluation import EducationResult
from recommender.evaluation.metrics import ConfidenceInterval


def format_result(result: EducationResult, k: int) -> str:
    """Lines with the split, a table of metrics (best nDCG first), paired differences and blend weights."""
    lines = [
        f"Cut {result.cutoff:%Y-%m-%d}; {result.n_students:,} students asked for their next submission; "
        f"{result.unseen_target_fraction:.0%} of the targets had never been submitted before the cut.",
        "",
        f"{'':30}{f'nDCG@{k}':>9}  {'95% interval':16}{f'recall@{k}':>10}",
    ]
    best_first = sorted(result.metrics, key=lambda name: -result.metrics[name][f"ndcg@{k}"])
    for name in best_first:
        lines.append(_format_metrics(name, result.metrics[name], k))
    lines.append("")
    for pair, difference in result.differences.items():
        lines.append(f"{pair}: {_format_difference(difference)}, {_describe_difference(difference)}")
    lines.append("")
    for blend, weights in result.weights.items():
        positive = ", ".join(f"{model} {weight:.3f}" for model, weight in weights.items() if weight)
        lines.append(f"weights of the {blend}: {positive}")
    return "\n".join(lines)


def _format_metrics(name: str, metrics: Mapping[str, Any], k: int) -> str:
    ndcg, recall = metrics[f"ndcg@{k}"], metrics[f"recall@{k}"]
    low, high = metrics[f"ndcg@{k}_interval"]
    interval = f"{low:.4f}-{high:.4f}"
    return f"{name:30}{ndcg:9.4f}  {interval:16}{recall:10.4f}"


def _describe_difference(difference: ConfidenceInterval) -> str:
    if difference.low > 0:
        return "the first wins"
    if difference.high < 0:
        return "the second wins"
    return "the data shows no difference"


def _format_difference(difference: ConfidenceInterval) -> str:
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
