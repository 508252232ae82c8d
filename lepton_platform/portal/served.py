"""In which form a model serves, and which settings were found for its members, for the model's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a member's files and of its arrays in memory, as trained and as served."""

    name: str
    compressed: bool
    file_before: int
    file_after: int
    held_before: int
    held_after: int


@dataclass(frozen=True, slots=True)
class Served:
    """`ndcg_before` and `ndcg_after` are of the blend, on `cases` hidden events."""

    ndcg_before: float
    ndcg_after: float
    cases: int
    sizes: list[Size]

    @property
    def total(self) -> Size:
        sums = [
            sum(getattr(size, name) for size in self.sizes)
            for name in ("file_before", "file_after", "held_before", "held_after")
        ]
        return Size("", any(size.compressed for size in self.sizes), *sums)

    @property
    def change(self) -> float | None:
        """Relative; None where nothing was right before."""
        return self.ndcg_after / self.ndcg_before - 1 if self.ndcg_before else None


@dataclass(frozen=True, slots=True)
class Search:
    """Of one member. `settings` are what differs from the defaults now; figures are on the events that confirm."""

    name: str
    trials: int
    defaults: float
    best: float
    settings: list[tuple[str, float | int]]


def served(metrics: Mapping[str, Any]) -> Served | None:
    """None for a version whose form was not measured."""
    card = metrics.get("compression")
    if not isinstance(card, dict) or not card.get("members"):
        return None
    sizes = [
        Size(
            name,
            bool(one.get("compressed")),
            *(int(one.get(key, 0)) for key in ("bytes_before", "bytes_after", "held_before", "held_after")),
        )
        for name, one in card["members"].items()
    ]
    return Served(
        float(card.get("ndcg@10_before", 0.0)),
        float(card.get("ndcg@10_after", 0.0)),
        int(card.get("cases", 0)),
        sorted(sizes, key=lambda size: -size.file_before),
    )


def searches(metrics: Mapping[str, Any]) -> list[Search]:
    """Empty for a training that did not look for settings."""
    card = metrics.get("tuning")
    members = card.get("members", {}) if isinstance(card, dict) else {}
    return [
        Search(
            name,
            int(one["trials"]),
            float(one["held_out"]["defaults"] or 0.0),
            float(one["held_out"]["best"] or 0.0),
            list(one["settings"].items()),
        )
        for name, one in members.items()
    ]
