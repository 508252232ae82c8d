"""The cold-start metrics as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.benchmarks.cold_start import CATEGORY_BASELINE, RANDOM_BASELINE


def format_cold_start_table(metrics: Mapping[str, Any], k: int) -> str:
    """A row for each model and baseline: recall, its interval, and its ratio to both baselines."""
    results = metrics["results"]
    baselines = [results[RANDOM_BASELINE][f"recall@{k}"], results[CATEGORY_BASELINE][f"recall@{k}"]]
    lines = [f"{'':26}recall@{k} among cold items   x random   x top categories"]
    for name, result in results.items():
        low, high = result[f"recall@{k}_interval"]
        recall = result[f"recall@{k}"]
        ratios = "   ".join(_format_ratio(recall, baseline) for baseline in baselines)
        lines.append(f"{name:26}{recall:.4f} [{low:.4f}, {high:.4f}]   {ratios}")
    lines.append(
        f"{metrics['data']}; {metrics['cold_items']:,} items hidden from training, {metrics['cases']:,} cases"
    )
    return "\n".join(lines)


def _format_ratio(value: float, baseline: float) -> str:
    return f"{value / baseline:8.2f}" if baseline else "       -"
