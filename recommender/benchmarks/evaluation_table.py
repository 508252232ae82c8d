"""The evaluation report as a table for people."""

from __future__ import annotations

from typing import Any

from recommender.benchmarks.evaluation_report import EvaluationReport, MetricSummary

DROP_REASON_TEXTS = {
    "no_gain": "the blend is as good without it",
    "too_slow": "it adds less than its time is worth",
}
SIZE_KEYS = ("file_bytes_before", "file_bytes_after", "memory_bytes_before", "memory_bytes_after")


def format_evaluation_table(report: EvaluationReport) -> str:
    """A row for each model and for the blend, metrics with their 95 % interval, then one line for each remark."""
    k = report.k
    rows = [
        [
            "",
            f"test nDCG@{k}",
            f"test recall@{k}",
            "cover",
            f"valid. nDCG@{k}",
            f"valid. recall@{k}",
            "without",
            "weight",
            "s",
        ]
    ]
    for name, metrics in report.models.items():
        rows.append(_format_row(report, name, metrics))
    rows.append(_format_row(report, "blend", report.blend | {"seconds": report.seconds}))
    lines = _align_columns(rows)
    lines += [f"{name} skipped: {reason}" for name, reason in report.skipped.items()]
    lines += [f"{name}: {note}" for name, note in report.notes.items()]
    for name, reason in report.selection.get("dropped", {}).items():
        lines.append(f"{name} is not part of the blend: {DROP_REASON_TEXTS[reason]}")
    lines += _describe_reranker(report)
    lines.append(_describe_quantization(report))
    lines.append(
        f"{report.data}; {report.protocol}; {report.profile}; peak memory {report.peak_rss_mib:,.0f} MiB"
    )
    return "\n".join(line.rstrip() for line in lines)


def _format_row(report: EvaluationReport, name: str, metrics: dict[str, Any]) -> list[str]:
    k = report.k
    weight = report.weights.get(name)
    return [
        name,
        _format_metric(metrics["test"], f"ndcg@{k}"),
        _format_metric(metrics["test"], f"recall@{k}"),
        _format_percentage(metrics["test"].get(f"coverage@{k}")),
        _format_metric(metrics["validation"], f"ndcg@{k}"),
        _format_metric(metrics["validation"], f"recall@{k}"),
        _format_ablation(report, name),
        "" if weight is None else f"{weight:.3f}",
        f"{metrics['seconds']:.1f}",
    ]


def _align_columns(rows: list[list[str]]) -> list[str]:
    columns = []
    for column in zip(*rows, strict=True):
        width = max(map(len, column))
        columns.append([cell.ljust(width) for cell in column])
    return ["  ".join(row) for row in zip(*columns, strict=True)]


def _format_ablation(report: EvaluationReport, name: str) -> str:
    """Validation nDCG of the best blend without this model; for the blend, that of the blend of all models."""
    if not report.selection:
        return ""
    if name == "blend":
        return f"{report.selection['full_ndcg']:.4f}"
    ndcg = report.selection["ndcg_without"].get(name)
    return "" if ndcg is None else f"{ndcg:.4f}"


def _describe_reranker(report: EvaluationReport) -> list[str]:
    held_out = report.reranker.get("ndcg_held_out")
    if held_out is None:
        return []
    state = "is active" if report.reranker["active"] else "is not active"
    before = report.reranker["ndcg_without"]
    return [
        f"reranker {state}: nDCG@{report.k} {held_out:.4f} on held-out validation cases, {before:.4f} without"
    ]


def _describe_quantization(report: EvaluationReport) -> str:
    """Test nDCG of the quantized ensemble, and its size before and after quantization."""
    ndcg = _format_metric(report.quantized["test"], f"ndcg@{report.k}")
    quantization = report.quantized["quantization"]
    if not quantization:
        return f"not quantized: nDCG@{report.k} {ndcg}"
    mib = {}
    for key in SIZE_KEYS:
        mib[key] = sum(sizes[key] for sizes in quantization["models"].values()) / 2**20
    return (
        f"quantized: nDCG@{report.k} {ndcg}; "
        f"files {mib['file_bytes_before']:.1f} -> {mib['file_bytes_after']:.1f} MiB, "
        f"memory {mib['memory_bytes_before']:.1f} -> {mib['memory_bytes_after']:.1f} MiB"
    )


def _format_metric(summary: MetricSummary, name: str) -> str:
    if name not in summary:
        return "-"
    low, high = summary[f"{name}_interval"]
    return f"{summary[name]:.4f} [{low:.4f}, {high:.4f}]"


def _format_percentage(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
