"""The evaluation of the education data in words and a table."""

from __future__ import annotations

from lepton_platform.demo.education import Finding
from recommender.evaluation.metrics import Interval


def as_text(finding: Finding, k: int) -> str:
    lines = [
        f"Cut {finding.cut:%Y-%m-%d}; {finding.students:,} students asked for their next submission; "
        f"{finding.never_submitted_before:.0%} of the targets had never been submitted before the cut.",
        "",
        f"{'':30}{f'nDCG@{k}':>9}  {'95% interval':16}{f'recall@{k}':>10}",
    ]
    best_first = sorted(finding.figures.items(), key=lambda entry: -entry[1][f"ndcg@{k}"])
    for name, figures in best_first:
        low, high = figures[f"ndcg@{k}_interval"]
        lines.append(
            f"{name:30}{figures[f'ndcg@{k}']:9.4f}  {f'{low:.4f}-{high:.4f}':16}{figures[f'recall@{k}']:10.4f}"
        )
    lines += [
        "",
        *(f"{pair}: {_signed(gap)}, {_outcome(gap)}" for pair, gap in finding.differences.items()),
        "",
    ]
    for name, weights in finding.weights.items():
        lines.append(f"weights of the {name}: " + ", ".join(f"{m} {w:.3f}" for m, w in weights.items() if w))
    return "\n".join(lines)


def _outcome(gap: Interval) -> str:
    if gap.low > 0:
        return "the first wins"
    if gap.high < 0:
        return "the second wins"
    return "the data shows no difference"


def _signed(gap: Interval) -> str:
    return f"{gap.mean:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
