"""The evaluation of a data set as one report: JSON and a table."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.dataset import Dataset, EvaluationProtocol
from recommender.dataset.splits import TEST_PROTOCOLS
from recommender.evaluation.evaluator import evaluate_models, evaluate_scorer
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import NO_OVERRIDES, ParameterOverrides, TrainingProfileName
from recommender.types import DataError, ProgressCallback, ignore_progress

MetricSummary = dict[str, Any]


@dataclass(frozen=True)
class EvaluationReport:
    """Figures of the blend and of each member. k is the length of the lists judged.

    choice and second_stage are those of the ensemble's card: what each member and the ranker are worth on validation."""

    k: int
    protocol: EvaluationProtocol
    profile: TrainingProfileName
    data: str
    blend: dict[str, MetricSummary]
    quantized: dict[str, Any]
    models: dict[str, dict[str, Any]]
    weights: dict[str, float]
    skipped: dict[str, str]
    notes: dict[str, str]
    selection: dict[str, Any]
    second_stage: dict[str, Any]
    seconds: float
    peak_rss_mib: float

    def to_json(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "profile": self.profile,
            "data": self.data,
            "blend": self.blend,
            "served": self.quantized,
            "members": self.models,
            "weights": self.weights,
            "skipped": self.skipped,
            "notes": self.notes,
            "choice": self.selection,
            "second_stage": self.second_stage,
            "seconds": self.seconds,
            "peak_rss_mib": self.peak_rss_mib,
        }


def evaluate_dataset(  # noqa: PLR0913 - the choices of one evaluation, all keyword-only
    dataset: Dataset,
    *,
    protocol: EvaluationProtocol = "leave-last-out",
    profile: TrainingProfileName = "full",
    model_names: Sequence[str] = (),
    k: int = 10,
    seed: int = 0,
    report: ProgressCallback = ignore_progress,
    overrides: ParameterOverrides = NO_OVERRIDES,
    serving_budget_ms: float = math.inf,
) -> EvaluationReport:
    """Hides the test events, fits an ensemble as the platform does (validation inside), and asks it for them.

    `members`, `changes` and `serving_ms` as in fit_ensemble. Raises DataError where the split leaves nothing to ask."""
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    split = TEST_PROTOCOLS[protocol](dataset)
    if len(split) == 0 or split.train.n_events == 0:
        raise DataError(
            "There is nothing to test: no user has an event before and an event in the test part."
        )
    ensemble = fit_ensemble(
        split.train,
        profile=profile,
        model_names=model_names,
        rng=rng,
        report=report,
        validation=protocol,
        k=k,
        overrides=overrides,
        serving_budget_ms=serving_budget_ms,
    )
    tallies = evaluate_models(ensemble.models, split, k=k, ensemble=ensemble)
    served = quantize_ensemble(ensemble)
    tallies["served"] = evaluate_scorer(served.score, split, k=k)
    test = {name: tally.summarize_metrics(rng, split.user) for name, tally in tallies.items()}
    validation = ensemble.training_report["validation"] or {}
    return EvaluationReport(
        k=k,
        protocol=protocol,
        profile=profile,
        data=dataset.describe_size(),
        blend={"test": test["blend"], "validation": validation.get("blend", {})},
        quantized={"test": test["served"], "compression": served.training_report.get("compression")},
        models={
            name: {"test": test[name], "validation": validation.get(name, {}), "seconds": seconds}
            for name, seconds in ensemble.training_report["seconds"].items()
        },
        weights=dict(ensemble.blend.weights),
        skipped=ensemble.training_report["skipped"],
        notes=ensemble.training_report["notes"],
        selection=ensemble.training_report.get("choice", {}),
        second_stage=ensemble.training_report.get("second_stage", {}),
        seconds=time.perf_counter() - started,
        peak_rss_mib=get_peak_rss_mib(),
    )


def get_peak_rss_mib() -> float:
    """The greatest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def format_evaluation_table(report: EvaluationReport) -> str:
    """A row for each member and for the blend; figures with their 95% interval."""
    k = report.k
    head = [
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
    lines = [head]
    for name, figures in [*report.models.items(), ("blend", report.blend | {"seconds": report.seconds})]:
        weight = report.weights.get(name)
        lines.append(
            [
                name,
                _format_metric(figures["test"], f"ndcg@{k}"),
                _format_metric(figures["test"], f"recall@{k}"),
                _format_percentage(figures["test"].get(f"coverage@{k}")),
                _format_metric(figures["validation"], f"ndcg@{k}"),
                _format_metric(figures["validation"], f"recall@{k}"),
                _format_ablation(report, name),
                "" if weight is None else f"{weight:.3f}",
                f"{figures['seconds']:.1f}",
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rows += [f"{name} left out: {reason}" for name, reason in report.skipped.items()]
    rows += [f"{name}: {note}" for name, note in report.notes.items()]
    rows += [
        f"{name} is not served: {DROP_REASON_TEXTS[why]}"
        for name, why in report.selection.get("dropped", {}).items()
    ]
    rows += [*_describe_second_stage(report), _describe_quantization(report)]
    rows.append(
        f"{report.data}; {report.protocol}; {report.profile}; peak memory {report.peak_rss_mib:,.0f} MiB"
    )
    return "\n".join(row.rstrip() for row in rows)


DROP_REASON_TEXTS = {
    "no_gain": "the blend is as good without it",
    "too_slow": "it adds less than its time is worth",
}


def _format_ablation(report: EvaluationReport, name: str) -> str:
    """The validation nDCG of the best blend without this member."""
    if name == "blend":
        return f"{report.selection['whole']:.4f}" if report.selection else ""
    found = report.selection.get("without", {}).get(name)
    return "" if found is None else f"{found:.4f}"


def _describe_second_stage(report: EvaluationReport) -> list[str]:
    held_out = report.second_stage.get("ndcg_held_out")
    if held_out is None:
        return []
    served = "serves" if report.second_stage["served"] else "does not serve"
    before = report.second_stage["ndcg_without"]
    return [
        f"second stage {served}: nDCG@{report.k} {held_out:.4f} on held-out validation cases, {before:.4f} without"
    ]


def _describe_quantization(report: EvaluationReport) -> str:
    """How the blend does in the form in which it is served, and what that form takes."""
    figure = _format_metric(report.quantized["test"], f"ndcg@{report.k}")
    card = report.quantized["compression"]
    if not card:
        return f"served as trained: nDCG@{report.k} {figure}"
    sizes = {
        name: sum(member[name] for member in card["members"].values()) / 2**20
        for name in ("file_bytes_before", "file_bytes_after", "memory_bytes_before", "memory_bytes_after")
    }
    return (
        f"served in fewer bytes: nDCG@{report.k} {figure}; "
        f"files {sizes['file_bytes_before']:.1f} -> {sizes['file_bytes_after']:.1f} MiB, "
        f"memory {sizes['memory_bytes_before']:.1f} -> {sizes['memory_bytes_after']:.1f} MiB"
    )


def _format_metric(summary: MetricSummary, name: str) -> str:
    if name not in summary:
        return "-"
    low, high = summary[f"{name}_interval"]
    return f"{summary[name]:.4f} [{low:.4f}, {high:.4f}]"


def _format_percentage(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
