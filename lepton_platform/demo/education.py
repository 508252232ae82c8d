"""The education data as evidence: the blend against popularity and against "next assessment of this course".

Protocol: one global cut in time (the latest `share` of all events lies after it). Everything before is history;
asked for is each student's first submission after the cut, among all assessments and courses of all years, ties
against the target. Blend weights are learned on a second cut of the same share within the history. All real
events take part, with their own dates. Loads torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lepton_platform.demo.course_baselines import (
    CourseCatalogue,
    DueDateRule,
    NextAssessmentRule,
    PreviousPresentationRule,
)
from lepton_platform.demo.records import DATA_DIRECTORY
from recommender.algorithms.base import Recommender
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.popularity.popularity import Popularity, PopularityConfig
from recommender.dataset import Dataset, Split
from recommender.evaluation.candidate_scores import CandidateScores
from recommender.evaluation.evaluator import MetricAccumulator, evaluate_blend, evaluate_models
from recommender.evaluation.metrics import ConfidenceInterval, bootstrap_interval, ndcg_at_k
from recommender.features.tfidf import join_text_fields
from recommender.fitting.blend_weights import fit_blend
from recommender.fitting.training_profiles import TrainingProfileName, build_model_specs
from recommender.types import InsufficientDataError, Int64Array, ProgressCallback

BLEND, INFORMED_BLEND = "blend", "blend with course knowledge"
RULE, CALENDAR, POPULARITY, RECENT_POPULARITY = (
    NextAssessmentRule.name,
    DueDateRule.name,
    "popularity",
    "recent popularity",
)
START_MONTH = {"B": 2, "J": 10}
DAY_MS = 86_400_000
EducationModels = dict[str, Recommender[Any]]


@dataclass(frozen=True)
class EducationResult:
    """Figures of each model on the same cases; differences in nDCG@k are paired by student."""

    cutoff: datetime
    n_students: int
    unseen_target_fraction: float
    metrics: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, ConfidenceInterval]


def load_education_data(directory: Path = DATA_DIRECTORY / "education") -> tuple[Dataset, CourseCatalogue]:
    items, events = (
        pl.read_parquet(directory / "items.parquet"),
        pl.read_parquet(directory / "events.parquet"),
    )
    texts = {
        row["id"]: join_text_fields(
            title=row["title"], description=row["description"], categories=row["categories"], tags=row["tags"]
        )
        for row in items.iter_rows(named=True)
    }
    dataset = Dataset.from_events(
        events["profile_id"].to_list(),
        events["item_id"].to_list(),
        timestamp=events["at"].dt.epoch("ms").to_numpy().astype(np.int64),
        texts=texts,
    )
    stated = dict(zip(items["id"], map(json.loads, items["attributes"]), strict=True))
    return dataset, _build_courses([stated[name] for name in dataset.item_ids])


def _build_courses(attributes: list[dict[str, Any]]) -> CourseCatalogue:
    return CourseCatalogue(
        course=_encode_names([item["course"] for item in attributes]),
        step=np.array([item.get("step", 0) for item in attributes], np.int64),
        template=_encode_names(
            [(item["module"], item["type"], item.get("number", 0)) for item in attributes]
        ),
        due_at=np.array([_calculate_due_time(item) for item in attributes], np.int64),
    )


def _encode_names(names: list[Any]) -> Int64Array:
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _calculate_due_time(attributes: dict[str, Any]) -> int:
    year, term = int(attributes["presentation"][:4]), attributes["presentation"][4]
    start = datetime(year, START_MONTH[term], 1, 12, tzinfo=UTC)
    return int(start.timestamp() * 1000) + int(attributes.get("due_day", 0)) * DAY_MS


def split_at_cutoff(dataset: Dataset, courses: CourseCatalogue, cutoff_ms: int) -> Split:
    """The target is the first submission from `cut` (ms) on; enrolments are history, never a target."""
    train = dataset.filter_events(dataset.timestamp < cutoff_ms)
    later = (dataset.timestamp >= cutoff_ms) & ~courses.is_course[dataset.item]
    user, first = np.unique(dataset.raw_histories.row_ids()[later], return_index=True)
    known = np.diff(train.indptr)[user] > 0
    target = dataset.item[later][first]
    return Split(train, train.raw_histories.take_rows(user[known]), target[known], user[known])


def find_cutoff(dataset: Dataset, test_fraction: float) -> int:
    return int(np.quantile(dataset.timestamp, 1 - test_fraction, method="higher"))


def evaluate_education(
    dataset: Dataset,
    courses: CourseCatalogue,
    *,
    profile: TrainingProfileName,
    test_fraction: float,
    k: int,
    seed: int,
    report: ProgressCallback,
) -> EducationResult:
    rng = np.random.default_rng(seed)
    cut = find_cutoff(dataset, test_fraction)
    test = split_at_cutoff(dataset, courses, cut)
    earlier = find_cutoff(test.train, test_fraction)
    validation = split_at_cutoff(test.train, courses, earlier)
    learned = _fit_models(validation.train, profile, rng, report)
    knowing = _fit_course_rules(courses, validation.train, request_time_ms=earlier, rng=rng)
    blends = {
        BLEND: _fit_blend_weights(learned, validation, k),
        INFORMED_BLEND: _fit_blend_weights(learned | knowing, validation, k),
    }
    for number, member in enumerate(learned.values()):
        report("fit again", number / len(learned))
        member.fit_partial(test.train, rng)
    everyone = (
        learned
        | _fit_course_rules(courses, test.train, request_time_ms=cut, rng=rng)
        | _fit_recent_popularity(test.train, rng)
    )
    tallies = evaluate_models(everyone, test, k=k)
    for name, blend in blends.items():
        tallies[name] = evaluate_blend(everyone, blend, test, k=k)
    seen = np.bincount(test.train.item, minlength=dataset.n_items)
    return EducationResult(
        cutoff=datetime.fromtimestamp(cut / 1000, UTC),
        n_students=len(test),
        unseen_target_fraction=float((seen[test.target] == 0).mean()),
        metrics={
            name: tally.summarize_metrics(np.random.default_rng(seed)) for name, tally in tallies.items()
        },
        weights={name: dict(blend.weights) for name, blend in blends.items()},
        differences=_compare_models(tallies, k, seed),
    )


def _fit_models(
    data: Dataset, profile: TrainingProfileName, rng: np.random.Generator, report: ProgressCallback
) -> EducationModels:
    members: EducationModels = {}
    for name, spec in build_model_specs(profile, report).items():
        member = spec.build()
        try:
            member.fit(data, rng)
        except InsufficientDataError:
            continue
        members[name] = member
    return members


def _fit_course_rules(
    courses: CourseCatalogue, data: Dataset, *, request_time_ms: int, rng: np.random.Generator
) -> EducationModels:
    members = [
        NextAssessmentRule(courses),
        DueDateRule(courses, request_time_ms),
        PreviousPresentationRule(courses),
    ]
    for member in members:
        member.fit(data, rng)
    return {member.name: member for member in members}


def _fit_recent_popularity(data: Dataset, rng: np.random.Generator) -> EducationModels:
    """A fairer bar than all-time popularity, whose favourites are courses long over; in no blend."""
    member = Popularity(PopularityConfig(half_life_days=14))
    member.fit(data, rng)
    return {RECENT_POPULARITY: member}


def _fit_blend_weights(models: EducationModels, validation: Split, k: int) -> Blend:
    rehearsal = CandidateScores(tuple(models))
    evaluate_models(models, validation, k=k, candidate_scores=rehearsal)
    return fit_blend(rehearsal, k=k)


def _compare_models(
    accumulators: Mapping[str, MetricAccumulator], k: int, seed: int
) -> dict[str, ConfidenceInterval]:
    gain = {name: ndcg_at_k(tally.collect_ranks(), k) for name, tally in accumulators.items()}
    pairs = [
        (BLEND, POPULARITY),
        (BLEND, RECENT_POPULARITY),
        (BLEND, RULE),
        (INFORMED_BLEND, RULE),
        (INFORMED_BLEND, CALENDAR),
    ]
    return {
        f"{ours} against {theirs}": bootstrap_interval(gain[ours] - gain[theirs], np.random.default_rng(seed))
        for ours, theirs in pairs
    }
