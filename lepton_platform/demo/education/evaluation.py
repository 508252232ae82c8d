"""Evaluation on the education data: the blend against popularity and against the rule "next assessment of this course".

Protocol: a temporal split at one cut-off; the latest `test_fraction` of all events is after it. Events before it are
the histories; the target is each student's first submission afterwards, ranked among all assessments and courses of
all years, ties against the target. Blend weights are fitted on a second split of the same kind within the histories.
All real events with their original dates are used. Loads torch.
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

from lepton_platform.demo.education.course_baselines import (
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
from tenants.common.time_units import DAY_MS

BLEND, INFORMED_BLEND = "blend", "blend with course knowledge"
RULE, CALENDAR = NextAssessmentRule.name, DueDateRule.name
POPULARITY, RECENT_POPULARITY = "popularity", "recent popularity"
# Pairs of models whose nDCG is compared.
COMPARISONS = (
    (BLEND, POPULARITY),
    (BLEND, RECENT_POPULARITY),
    (BLEND, RULE),
    (INFORMED_BLEND, RULE),
    (INFORMED_BLEND, CALENDAR),
)
TEXT_COLUMNS = ("title", "description", "categories", "tags")
START_MONTH = {"B": 2, "J": 10}
EducationModels = dict[str, Recommender[Any]]


@dataclass(frozen=True)
class EducationResult:
    """Metrics of each model on the same students; `differences` in nDCG@k are paired by student.

    `unseen_target_fraction`: targets that nobody had submitted before the cut-off. `weights`: by blend, then model.
    """

    cutoff: datetime
    n_students: int
    unseen_target_fraction: float
    metrics: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, ConfidenceInterval]


def load_education_data(directory: Path = DATA_DIRECTORY / "education") -> tuple[Dataset, CourseCatalogue]:
    """Events with item texts, and the catalogue in the same item numbers."""
    items = pl.read_parquet(directory / "items.parquet")
    events = pl.read_parquet(directory / "events.parquet")
    texts = {}
    for row in items.select("id", *TEXT_COLUMNS).iter_rows(named=True):
        item_id = row.pop("id")
        texts[item_id] = join_text_fields(**row)
    dataset = Dataset.from_events(
        events["profile_id"].to_list(),
        events["item_id"].to_list(),
        timestamp=events["at"].dt.epoch("ms").to_numpy().astype(np.int64),
        texts=texts,
    )
    attributes = dict(zip(items["id"], map(json.loads, items["attributes"]), strict=True))
    return dataset, _build_courses([attributes[item_id] for item_id in dataset.item_ids])


def _build_courses(attributes: list[dict[str, Any]]) -> CourseCatalogue:
    templates = [(item["module"], item["type"], item.get("number", 0)) for item in attributes]
    return CourseCatalogue(
        course=_encode_names([item["course"] for item in attributes]),
        step=np.array([item.get("step", 0) for item in attributes], np.int64),
        template=_encode_names(templates),
        due_at=np.array([_calculate_due_time(item) for item in attributes], np.int64),
    )


def _encode_names(names: list[Any]) -> Int64Array:
    """Numbers names in order of first appearance."""
    numbers: dict[Any, int] = {}
    # len(numbers) is evaluated before setdefault inserts, so it is the next free number.
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _calculate_due_time(attributes: dict[str, Any]) -> int:
    """Milliseconds since 1970. The day of the start within its month is not published: the 1st is assumed."""
    presentation = attributes["presentation"]
    year, term = int(presentation[:4]), presentation[4]
    start = datetime(year, START_MONTH[term], 1, 12, tzinfo=UTC)
    return int(start.timestamp() * 1000) + int(attributes.get("due_day", 0)) * DAY_MS


def split_at_cutoff(dataset: Dataset, courses: CourseCatalogue, cutoff_ms: int) -> Split:
    """The target is a student's first submission from `cutoff_ms` on; enrolments are never targets.

    Students without an event before the cut-off are left out.
    """
    train = dataset.filter_events(dataset.timestamp < cutoff_ms)
    is_candidate = (dataset.timestamp >= cutoff_ms) & ~courses.is_course[dataset.item]
    # return_index is the first position of each user; events are in time order, so that is the first submission.
    users, positions = np.unique(dataset.raw_histories.row_ids()[is_candidate], return_index=True)
    targets = dataset.item[is_candidate][positions]
    has_history = np.diff(train.indptr)[users] > 0
    users, targets = users[has_history], targets[has_history]
    return Split(train, train.raw_histories.take_rows(users), targets, users)


def find_cutoff(dataset: Dataset, test_fraction: float) -> int:
    """The time (ms) from which on the latest `test_fraction` of the events happened."""
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
    """Fits all models and compares them on the students' next submissions.

    Args:
        dataset: all events.
        courses: the catalogue.
        profile: training profile of the blended models.
        test_fraction: fraction of the events after the cut-off.
        k: rank cut-off of the metrics.
        seed: of training and bootstrap.
        report: receives stage and fraction.
    """
    rng = np.random.default_rng(seed)
    test_cutoff = find_cutoff(dataset, test_fraction)
    test = split_at_cutoff(dataset, courses, test_cutoff)
    validation_cutoff = find_cutoff(test.train, test_fraction)
    validation = split_at_cutoff(test.train, courses, validation_cutoff)
    models = _fit_models(validation.train, profile, rng, report)
    rules = _fit_course_rules(courses, validation.train, request_time_ms=validation_cutoff, rng=rng)
    blends = {
        BLEND: _fit_blend_weights(models, validation, k),
        INFORMED_BLEND: _fit_blend_weights(models | rules, validation, k),
    }
    for number, model in enumerate(models.values()):
        report("refit", number / len(models))
        model.fit_partial(test.train, rng)
    test_models = (
        models
        | _fit_course_rules(courses, test.train, request_time_ms=test_cutoff, rng=rng)
        | _fit_recent_popularity(test.train, rng)
    )
    accumulators = evaluate_models(test_models, test, k=k)
    for name, blend in blends.items():
        accumulators[name] = evaluate_blend(test_models, blend, test, k=k)
    event_counts = np.bincount(test.train.item, minlength=dataset.n_items)
    metrics = {}
    for name, accumulator in accumulators.items():
        # A generator of its own for each model: all bootstraps resample the same students.
        metrics[name] = accumulator.summarize_metrics(np.random.default_rng(seed))
    return EducationResult(
        cutoff=datetime.fromtimestamp(test_cutoff / 1000, UTC),
        n_students=len(test),
        unseen_target_fraction=float((event_counts[test.target] == 0).mean()),
        metrics=metrics,
        weights={name: dict(blend.weights) for name, blend in blends.items()},
        differences=_compare_models(accumulators, k, seed),
    )


def _fit_models(
    data: Dataset,
    profile: TrainingProfileName,
    rng: np.random.Generator,
    report: ProgressCallback,
) -> EducationModels:
    """The models of the profile, without those that the data does not suffice for."""
    models: EducationModels = {}
    for name, spec in build_model_specs(profile, report).items():
        model = spec.build()
        try:
            model.fit(data, rng)
        except InsufficientDataError:
            continue
        models[name] = model
    return models


def _fit_course_rules(
    courses: CourseCatalogue,
    data: Dataset,
    *,
    request_time_ms: int,
    rng: np.random.Generator,
) -> EducationModels:
    rules = [
        NextAssessmentRule(courses),
        DueDateRule(courses, request_time_ms),
        PreviousPresentationRule(courses),
    ]
    for rule in rules:
        rule.fit(data, rng)
    return {rule.name: rule for rule in rules}


def _fit_recent_popularity(data: Dataset, rng: np.random.Generator) -> EducationModels:
    """A stronger baseline than all-time popularity, whose top items are courses that have ended; in no blend."""
    model = Popularity(PopularityConfig(half_life_days=14))
    model.fit(data, rng)
    return {RECENT_POPULARITY: model}


def _fit_blend_weights(models: EducationModels, validation: Split, k: int) -> Blend:
    candidate_scores = CandidateScores(tuple(models))
    evaluate_models(models, validation, k=k, candidate_scores=candidate_scores)
    return fit_blend(candidate_scores, k=k)


def _compare_models(
    accumulators: Mapping[str, MetricAccumulator], k: int, seed: int
) -> dict[str, ConfidenceInterval]:
    ndcg = {}
    for name, accumulator in accumulators.items():
        ndcg[name] = ndcg_at_k(accumulator.collect_ranks(), k)
    differences = {}
    for candidate, baseline in COMPARISONS:
        # Element-wise difference: both arrays have one value a student, in the same order.
        difference = ndcg[candidate] - ndcg[baseline]
        differences[f"{candidate} against {baseline}"] = bootstrap_interval(
            difference, np.random.default_rng(seed)
        )
    return differences
