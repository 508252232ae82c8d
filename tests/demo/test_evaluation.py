"""Metrics of a small synthetic university, with fast models only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lepton_platform.demo.education import evaluation, report
from lepton_platform.demo.education.course_baselines import CourseCatalogue
from lepton_platform.demo.education.evaluation import (
    BLEND,
    CALENDAR,
    INFORMED_BLEND,
    POPULARITY,
    RECENT_POPULARITY,
    RULE,
    EducationResult,
)
from recommender.algorithms.neighbourhood.transitions import Transitions
from recommender.algorithms.popularity.popularity import Popularity
from recommender.dataset import Dataset
from recommender.evaluation.metrics import ConfidenceInterval
from recommender.fitting.training_profiles import ModelSpec
from recommender.types import ignore_progress

DAY = 86_400_000
STEPS = 8


def _build_quick_specs(_profile: str, _report: Any) -> Mapping[str, ModelSpec]:
    return {"popularity": ModelSpec(Popularity, None), "transitions": ModelSpec(Transitions, None)}


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch) -> EducationResult:
    """Sixty students submit one assessment every ten days, each with their own delay."""
    monkeypatch.setattr(evaluation, "build_model_specs", _build_quick_specs)
    rows = [(student, step, 10 * step + student % 7) for student in range(60) for step in range(STEPS)]
    dataset = Dataset.from_events(
        [f"s{student}" for student, _, _ in rows],
        [f"a{step}" for _, step, _ in rows],
        timestamp=np.array([day * DAY for _, _, day in rows], np.int64),
        texts={f"a{step}": "" for step in range(STEPS)},
    )
    step = np.array([int(name[1:]) for name in dataset.item_ids])
    courses = CourseCatalogue(
        course=np.zeros(STEPS, np.int64), step=step, template=step, due_at=10 * step * DAY
    )
    return evaluation.evaluate_education(
        dataset, courses, profile="fast", test_fraction=0.3, k=3, seed=0, report=ignore_progress
    )


def test_the_rule_is_right_where_everybody_follows_the_course(result: EducationResult) -> None:
    assert result.metrics[RULE]["ndcg@3"] == 1.0


def test_every_model_is_evaluated_on_the_same_students(result: EducationResult) -> None:
    assert {BLEND, INFORMED_BLEND, RULE, CALENDAR, POPULARITY, RECENT_POPULARITY} <= result.metrics.keys()
    assert {metrics["cases"] for metrics in result.metrics.values()} == {result.n_students}


def test_the_course_rule_is_only_in_the_informed_blend(result: EducationResult) -> None:
    assert result.weights[BLEND].keys() == {"popularity", "transitions"}
    assert RULE in result.weights[INFORMED_BLEND]


def test_the_report_names_the_winner(result: EducationResult) -> None:
    lines = report.format_result(result, 3).splitlines()
    outcomes = [line.rpartition(", ")[2] for line in lines if " against " in line]
    assert len(outcomes) == 5
    assert set(outcomes) <= {"the first wins", "the second wins", "the data shows no difference"}


def test_a_winner_needs_its_whole_interval_on_one_side(result: EducationResult) -> None:
    clear = {
        f"{BLEND} against {RULE}": ConfidenceInterval(-0.2, -0.3, -0.1),
        f"{BLEND} against {RECENT_POPULARITY}": ConfidenceInterval(0, -0.1, 0.1),
    }
    text = report.format_result(replace(result, differences=clear), 3)
    assert f"{BLEND} against {RULE}: -0.2000 (-0.3000 to -0.1000), the second wins" in text
    assert (
        f"{BLEND} against {RECENT_POPULARITY}: +0.0000 (-0.1000 to +0.1000), the data shows no difference"
        in text
    )
