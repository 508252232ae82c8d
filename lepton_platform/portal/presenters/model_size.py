"""Quantization and tuning results of a model version, as its page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Bytes of a model's files and of its arrays in memory, before and after quantization."""

    name: str
    is_quantized: bool
    file_bytes_before: int
    file_bytes_after: int
    memory_bytes_before: int
    memory_bytes_after: int


@dataclass(frozen=True, slots=True)
class QuantizationSummary:
    """nDCG@10 of the ensemble on `n_cases` validation events before and after quantization, and the sizes."""

    ndcg_before: float
    ndcg_after: float
    n_cases: int
    sizes: list[ModelSize]

    @property
    def total(self) -> ModelSize:
        """The sums over all models."""
        return ModelSize(
            name="",
            is_quantized=any(size.is_quantized for size in self.sizes),
            file_bytes_before=sum(size.file_bytes_before for size in self.sizes),
            file_bytes_after=sum(size.file_bytes_after for size in self.sizes),
            memory_bytes_before=sum(size.memory_bytes_before for size in self.sizes),
            memory_bytes_after=sum(size.memory_bytes_after for size in self.sizes),
        )

    @property
    def ndcg_change(self) -> float | None:
        """Relative change of nDCG; None if it was zero before."""
        if not self.ndcg_before:
            return None
        return self.ndcg_after / self.ndcg_before - 1


@dataclass(frozen=True, slots=True)
class TuningSummary:
    """The tuning of one model. `settings` are the hyper-parameters that differ from the defaults.

    Both nDCG values are measured on held-out events that the search did not use.
    """

    name: str
    n_trials: int
    default_ndcg: float
    best_ndcg: float
    settings: list[tuple[str, float | int]]


def present_quantization(metrics: Mapping[str, Any]) -> QuantizationSummary | None:
    """Returns the effect of quantization, or None for a version without a measurement."""
    report = metrics.get("quantization")
    if not isinstance(report, dict) or not report.get("models"):
        return None
    sizes = [_present_size(name, values) for name, values in report["models"].items()]
    sizes.sort(key=lambda size: -size.file_bytes_before)
    return QuantizationSummary(
        ndcg_before=float(report.get("ndcg@10_before", 0.0)),
        ndcg_after=float(report.get("ndcg@10_after", 0.0)),
        n_cases=int(report.get("cases", 0)),
        sizes=sizes,
    )


def present_tuning(metrics: Mapping[str, Any]) -> list[TuningSummary]:
    """Returns the tuned models; empty for a training without tuning."""
    report = metrics.get("tuning")
    if not isinstance(report, dict):
        return []
    summaries = []
    for name, tuning in report.get("models", {}).items():
        summaries.append(
            TuningSummary(
                name=name,
                n_trials=int(tuning["trials"]),
                # None if no trial finished within the budget.
                default_ndcg=float(tuning["held_out_ndcg"]["defaults"] or 0.0),
                best_ndcg=float(tuning["held_out_ndcg"]["best"] or 0.0),
                settings=list(tuning["settings"].items()),
            )
        )
    return summaries


def _present_size(name: str, values: Mapping[str, Any]) -> ModelSize:
    return ModelSize(
        name=name,
        is_quantized=bool(values.get("compressed")),
        file_bytes_before=int(values.get("file_bytes_before", 0)),
        file_bytes_after=int(values.get("file_bytes_after", 0)),
        memory_bytes_before=int(values.get("memory_bytes_before", 0)),
        memory_bytes_after=int(values.get("memory_bytes_after", 0)),
    )
