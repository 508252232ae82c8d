"""Formats the evaluation of the education data as text with a table."""

from __future__ import annotations

from lepton_platform.demo.education import EducationResult
from recommender.evaluation.metrics import ConfidenceInterval


def format_result(result: EducationResult, k: int) -> str:
    """Lines with the split, a table of metrics (best nDCG first), paired differences and blend weights."""
    lines = [
        f"Cut {result.cutoff:%Y-%m-%d}; {result.n_students:,} students asked for their next submission; "
        f"{result.unseen_target_fraction:.0%} of the targets had never been submitted before the cut.",
        "",
        f"{'':30}{f'nDCG@{k}':>9}  {'95% interval':16}{f'recall@{k}':>10}",
    ]
    best_first = sorted(result.metrics.items(), key=lambda entry: -entry[1][f"ndcg@{k}"])
    for name, metrics in best_first:
        low, high = metrics[f"ndcg@{k}_interval"]
        interval = f"{low:.4f}-{high:.4f}"
        lines.append(f"{name:30}{metrics[f'ndcg@{k}']:9.4f}  {interval:16}{metrics[f'recall@{k}']:10.4f}")
    lines.append("")
    for pair, difference in result.differences.items():
        lines.append(f"{pair}: {_format_difference(difference)}, {_describe_difference(difference)}")
    lines.append("")
    for blend, weights in result.weights.items():
        positive = ", ".join(f"{model} {weight:.3f}" for model, weight in weights.items() if weight)
        lines.append(f"weights of the {blend}: {positive}")
    return "\n".join(lines)


def _describe_difference(difference: ConfidenceInterval) -> str:
    if difference.low > 0:
        return "the first wins"
    if difference.high < 0:
        return "the second wins"
    return "the data shows no difference"


def _format_difference(difference: ConfidenceInterval) -> str:
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
