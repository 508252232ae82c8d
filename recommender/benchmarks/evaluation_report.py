"""The evaluation of one data set: an ensemble is fitted as in a tenant's training and tested on hidden events."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.dataset import Dataset, EvaluationProtocol
from recommender.dataset.splits import TEST_PROTOCOLS
from recommender.evaluation.evaluator import evaluate_models, evaluate_scorer
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import TrainingProfileName
from recommender.types import DataError, ProgressCallback, ignore_progress

MetricSummary = dict[str, Any]


@dataclass(frozen=True)
class EvaluationReport:
    """Metrics of the blend and of each model.

    `selection`, `reranker`, `skipped` and `notes` are those of the ensemble's training report, measured on validation
    events. `quantized` has the test metrics of the ensemble in its quantized form.
    """

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
    reranker: dict[str, Any]
    seconds: float
    peak_rss_mib: float

    def to_json(self) -> dict[str, Any]:
        """What `evaluate --json` writes."""
        return {
            "protocol": self.protocol,
            "profile": self.profile,
            "data": self.data,
            "blend": self.blend,
            "quantized": self.quantized,
            "models": self.models,
            "weights": self.weights,
            "skipped": self.skipped,
            "notes": self.notes,
            "selection": self.selection,
            "reranker": self.reranker,
            "seconds": self.seconds,
            "peak_rss_mib": self.peak_rss_mib,
        }


def evaluate_dataset(
    dataset: Dataset,
    options: FitOptions | None = None,
    *,
    seed: int = 0,
    report: ProgressCallback = ignore_progress,
) -> EvaluationReport:
    """Hides test events, fits an ensemble on the others, and evaluates it on the test events.

    Args:
        dataset: all events and item content.
        options: options of the fit; `options.protocol` hides the test events as well as the validation events.
        seed: seed of the random generator.
        report: receives phases of the fit.

    Raises:
        DataError: the split has no case or no training event.
    """
    options = options or FitOptions()
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    split = TEST_PROTOCOLS[options.protocol](dataset)
    if len(split) == 0 or split.train.n_events == 0:
        raise DataError("There is nothing to test: no user has both a training event and a test event.")
    ensemble = fit_ensemble(
        split.train,
        options,
        rng=rng,
        report=report,
    )
    accumulators = evaluate_models(
        ensemble.models,
        split,
        k=options.k,
        ensemble=ensemble,
    )
    quantized = quantize_ensemble(ensemble)
    accumulators["quantized"] = evaluate_scorer(quantized.score, split, k=options.k)
    test = {name: metrics.summarize_metrics(rng, split.user) for name, metrics in accumulators.items()}
    training_report = ensemble.training_report
    validation = training_report["validation"] or {}
    return EvaluationReport(
        k=options.k,
        protocol=options.protocol,
        profile=options.profile,
        data=dataset.describe_size(),
        blend={"test": test["blend"], "validation": validation.get("blend", {})},
        quantized={
            "test": test["quantized"],
            "quantization": quantized.training_report.get("quantization"),
        },
        models=_summarize_models(training_report, test),
        weights=dict(ensemble.blend.weights),
        skipped=training_report["skipped"],
        notes=training_report["notes"],
        selection=training_report.get("selection", {}),
        reranker=training_report.get("reranker", {}),
        seconds=time.perf_counter() - started,
        peak_rss_mib=get_peak_rss_mib(),
    )


def _summarize_models(
    training_report: Mapping[str, Any], test: Mapping[str, MetricSummary]
) -> dict[str, Any]:
    """By model name: test and validation metrics, and seconds of its fits."""
    validation = training_report["validation"] or {}
    models = {}
    for name, seconds in training_report["seconds"].items():
        models[name] = {
            "test": test[name],
            "validation": validation.get(name, {}),
            "seconds": seconds,
        }
    return models


def get_peak_rss_mib() -> float:
    """Peak resident memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # ru_maxrss is in bytes on macOS and in KiB on Linux.
    units_per_mib = 1024 * 1024 if sys.platform == "darwin" else 1024
    return peak / units_per_mib
