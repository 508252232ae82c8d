"""The evaluation of the education data in words and a table."""

from __future__ import annotations

from lepton_platform.demo.education import EducationResult
from recommender.evaluation.metrics import ConfidenceInterval


def format_result(result: EducationResult, k: int) -> str:
    lines = [
        f"Cut {result.cutoff:%Y-%m-%d}; {result.n_students:,} students asked for their next submission; "
        f"{result.unseen_target_fraction:.0%} of the targets had never been submitted before the cut.",
        "",
        f"{'':30}{f'nDCG@{k}':>9}  {'95% interval':16}{f'recall@{k}':>10}",
    ]
    best_first = sorted(result.metrics.items(), key=lambda entry: -entry[1][f"ndcg@{k}"])
    for name, figures in best_first:
        low, high = figures[f"ndcg@{k}_interval"]
        lines.append(
            f"{name:30}{figures[f'ndcg@{k}']:9.4f}  {f'{low:.4f}-{high:.4f}':16}{figures[f'recall@{k}']:10.4f}"
        )
    lines += [
        "",
        *(
            f"{pair}: {_format_difference(gap)}, {_describe_difference(gap)}"
            for pair, gap in result.differences.items()
        ),
        "",
    ]
    for name, weights in result.weights.items():
        lines.append(f"weights of the {name}: " + ", ".join(f"{m} {w:.3f}" for m, w in weights.items() if w))
    return "\n".join(lines)


def _describe_difference(difference: ConfidenceInterval) -> str:
    if difference.low > 0:
        return "the first wins"
    if difference.high < 0:
        return "the second wins"
    return "the data shows no difference"


def _format_difference(difference: ConfidenceInterval) -> str:
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
