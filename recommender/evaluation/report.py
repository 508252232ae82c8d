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

from recommender.dataset import Dataset, Protocol
from recommender.dataset.splits import QUOTED
from recommender.evaluation.compression import compressed
from recommender.evaluation.fit import fit_ensemble
from recommender.evaluation.measure import measure, measure_all
from recommender.evaluation.profiles import NO_CHANGES, Changes, Profile
from recommender.types import DataError, Report, silent

Summary = dict[str, Any]


@dataclass(frozen=True)
class EvaluationReport:
    """Figures of the blend and of each member. k is the length of the lists judged.

    choice and second_stage are those of the ensemble's card: what each member and the ranker are worth on validation."""

    k: int
    protocol: Protocol
    profile: Profile
    data: str
    blend: dict[str, Summary]
    served: dict[str, Any]
    members: dict[str, dict[str, Any]]
    weights: dict[str, float]
    left_out: dict[str, str]
    notes: dict[str, str]
    choice: dict[str, Any]
    second_stage: dict[str, Any]
    seconds: float
    peak_rss_mib: float

    def to_json(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "profile": self.profile,
            "data": self.data,
            "blend": self.blend,
            "served": self.served,
            "members": self.members,
            "weights": self.weights,
            "left_out": self.left_out,
            "notes": self.notes,
            "choice": self.choice,
            "second_stage": self.second_stage,
            "seconds": self.seconds,
            "peak_rss_mib": self.peak_rss_mib,
        }


def evaluate(  # noqa: PLR0913 - the choices of one evaluation, all keyword-only
    dataset: Dataset,
    *,
    protocol: Protocol = "leave-last-out",
    profile: Profile = "full",
    members: Sequence[str] = (),
    k: int = 10,
    seed: int = 0,
    report: Report = silent,
    changes: Changes = NO_CHANGES,
    serving_ms: float = math.inf,
) -> EvaluationReport:
    """Hides the test events, fits an ensemble as the platform does (validation inside), and asks it for them.

    `members`, `changes` and `serving_ms` as in fit_ensemble. Raises DataError where the split leaves nothing to ask."""
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    split = QUOTED[protocol](dataset)
    if len(split) == 0 or split.train.events == 0:
        raise DataError(
            "There is nothing to test: no user has an event before and an event in the test part."
        )
    ensemble = fit_ensemble(
        split.train,
        profile=profile,
        members=members,
        rng=rng,
        report=report,
        validation=protocol,
        k=k,
        changes=changes,
        serving_ms=serving_ms,
    )
    tallies = measure_all(ensemble.members, split, k=k, ensemble=ensemble)
    served = compressed(ensemble)
    tallies["served"] = measure(served.score, split, k=k)
    test = {name: tally.summary(rng, split.user) for name, tally in tallies.items()}
    validation = ensemble.card["validation"] or {}
    return EvaluationReport(
        k=k,
        protocol=protocol,
        profile=profile,
        data=dataset.describe(),
        blend={"test": test["blend"], "validation": validation.get("blend", {})},
        served={"test": test["served"], "compression": served.card.get("compression")},
        members={
            name: {"test": test[name], "validation": validation.get(name, {}), "seconds": seconds}
            for name, seconds in ensemble.card["seconds"].items()
        },
        weights=dict(ensemble.blend.weights),
        left_out=ensemble.card["left_out"],
        notes=ensemble.card["notes"],
        choice=ensemble.card.get("choice", {}),
        second_stage=ensemble.card.get("second_stage", {}),
        seconds=time.perf_counter() - started,
        peak_rss_mib=peak_rss_mib(),
    )


def peak_rss_mib() -> float:
    """The greatest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def table(report: EvaluationReport) -> str:
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
    for name, figures in [*report.members.items(), ("blend", report.blend | {"seconds": report.seconds})]:
        weight = report.weights.get(name)
        lines.append(
            [
                name,
                _figure(figures["test"], f"ndcg@{k}"),
                _figure(figures["test"], f"recall@{k}"),
                _share(figures["test"].get(f"coverage@{k}")),
                _figure(figures["validation"], f"ndcg@{k}"),
                _figure(figures["validation"], f"recall@{k}"),
                _without(report, name),
                "" if weight is None else f"{weight:.3f}",
                f"{figures['seconds']:.1f}",
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rows += [f"{name} left out: {reason}" for name, reason in report.left_out.items()]
    rows += [f"{name}: {note}" for name, note in report.notes.items()]
    rows += [f"{name} is not served: {WHY[why]}" for name, why in report.choice.get("dropped", {}).items()]
    rows += [*_second_stage(report), _served(report)]
    rows.append(
        f"{report.data}; {report.protocol}; {report.profile}; peak memory {report.peak_rss_mib:,.0f} MiB"
    )
    return "\n".join(row.rstrip() for row in rows)


WHY = {
    "no_gain": "the blend is as good without it",
    "too_slow": "it adds less than its time is worth",
}


def _without(report: EvaluationReport, name: str) -> str:
    """The validation nDCG of the best blend without this member."""
    if name == "blend":
        return f"{report.choice['whole']:.4f}" if report.choice else ""
    found = report.choice.get("without", {}).get(name)
    return "" if found is None else f"{found:.4f}"


def _second_stage(report: EvaluationReport) -> list[str]:
    held_out = report.second_stage.get("ndcg_held_out")
    if held_out is None:
        return []
    served = "serves" if report.second_stage["served"] else "does not serve"
    before = report.second_stage["ndcg_without"]
    return [
        f"second stage {served}: nDCG@{report.k} {held_out:.4f} on held-out validation cases, {before:.4f} without"
    ]


def _served(report: EvaluationReport) -> str:
    """How the blend does in the form in which it is served, and what that form takes."""
    figure = _figure(report.served["test"], f"ndcg@{report.k}")
    card = report.served["compression"]
    if not card:
        return f"served as trained: nDCG@{report.k} {figure}"
    sizes = {
        name: sum(member[name] for member in card["members"].values()) / 2**20
        for name in ("bytes_before", "bytes_after", "held_before", "held_after")
    }
    return (
        f"served in fewer bytes: nDCG@{report.k} {figure}; "
        f"files {sizes['bytes_before']:.1f} -> {sizes['bytes_after']:.1f} MiB, "
        f"memory {sizes['held_before']:.1f} -> {sizes['held_after']:.1f} MiB"
    )


def _figure(summary: Summary, name: str) -> str:
    if name not in summary:
        return "-"
    low, high = summary[f"{name}_interval"]
    return f"{summary[name]:.4f} [{low:.4f}, {high:.4f}]"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
