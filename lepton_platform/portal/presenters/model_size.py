"""In which form a model serves, and which settings were found for its members, for the model's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Bytes of a member's files and of its arrays in memory, as trained and as served."""

    name: str
    is_quantized: bool
    file_bytes_before: int
    file_bytes_after: int
    memory_bytes_before: int
    memory_bytes_after: int


@dataclass(frozen=True, slots=True)
class QuantizationSummary:
    """`ndcg_before` and `ndcg_after` are of the blend, on `cases` hidden events."""

    ndcg_before: float
    ndcg_after: float
    n_cases: int
    sizes: list[ModelSize]

    @property
    def total(self) -> ModelSize:
        sums = [
            sum(getattr(size, name) for size in self.sizes)
            for name in ("file_bytes_before", "file_bytes_after", "memory_bytes_before", "memory_bytes_after")
        ]
        return ModelSize("", any(size.is_quantized for size in self.sizes), *sums)

    @property
    def ndcg_change(self) -> float | None:
        """Relative; None where nothing was right before."""
        return self.ndcg_after / self.ndcg_before - 1 if self.ndcg_before else None


@dataclass(frozen=True, slots=True)
class TuningSummary:
    """Of one member. `settings` are what differs from the defaults now; figures are on the events that confirm."""

    name: str
    n_trials: int
    default_ndcg: float
    best_ndcg: float
    settings: list[tuple[str, float | int]]


def present_quantization(metrics: Mapping[str, Any]) -> QuantizationSummary | None:
    """None for a version whose form was not measured."""
    card = metrics.get("quantization")
    if not isinstance(card, dict) or not card.get("models"):
        return None
    sizes = [
        ModelSize(
            name,
            bool(one.get("compressed")),
            *(
                int(one.get(key, 0))
                for key in (
                    "file_bytes_before",
                    "file_bytes_after",
                    "memory_bytes_before",
                    "memory_bytes_after",
                )
            ),
        )
        for name, one in card["models"].items()
    ]
    return QuantizationSummary(
        float(card.get("ndcg@10_before", 0.0)),
        float(card.get("ndcg@10_after", 0.0)),
        int(card.get("cases", 0)),
        sorted(sizes, key=lambda size: -size.file_bytes_before),
    )


def present_tuning(metrics: Mapping[str, Any]) -> list[TuningSummary]:
    """Empty for a training that did not look for settings."""
    card = metrics.get("tuning")
    members = card.get("models", {}) if isinstance(card, dict) else {}
    return [
        TuningSummary(
            name,
            int(one["trials"]),
            float(one["held_out_ndcg"]["defaults"] or 0.0),
            float(one["held_out_ndcg"]["best"] or 0.0),
            list(one["settings"].items()),
        )
        for name, one in members.items()
    ]
