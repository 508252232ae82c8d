"""Two courses of one module: items 0-3 are 2013's course and three assessments, 4-7 those of 2014."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_platform.demo.education.course_baselines import (
    CourseCatalogue,
    DueDateRule,
    NextAssessmentRule,
    PreviousPresentationRule,
)
from lepton_platform.demo.education.evaluation import split_at_cutoff
from recommender.dataset import Dataset
from recommender.types import Histories

DAY = 86_400_000


@pytest.fixture
def courses() -> CourseCatalogue:
    return CourseCatalogue(
        course=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
        step=np.array([0, 1, 2, 3, 0, 1, 2, 3]),
        template=np.array([0, 1, 2, 3, 0, 1, 2, 3]),
        due_at=np.array([0, 10, 20, 30, 365, 375, 385, 395]) * DAY,
    )


@pytest.fixture
def students() -> Dataset:
    return Dataset.from_sequences([[0, 1, 3, 2], [0, 1, 3, 2], [0, 1, 2, 3], [4, 5]], n_items=8)


def _order(scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[int]:
    return [int(item) for item in np.argsort(-scores[0], kind="stable") if scores[0][item] > 0]


def test_the_rule_ranks_the_next_assessment_then_later_then_missed_ones(
    courses: CourseCatalogue, students: Dataset
) -> None:
    rule = NextAssessmentRule(courses)
    rule.fit(students, np.random.default_rng(0))
    assert _order(rule.score(Histories.from_lists([[4, 6]]))) == [7, 5, 6]


def test_the_rule_follows_the_course_last_worked_on(courses: CourseCatalogue, students: Dataset) -> None:
    rule = NextAssessmentRule(courses)
    rule.fit(students, np.random.default_rng(0))
    assert _order(rule.score(Histories.from_lists([[0, 1, 4]])))[0] == 5


def test_the_calendar_starts_at_the_request_time(courses: CourseCatalogue, students: Dataset) -> None:
    calendar = DueDateRule(courses, request_time_ms=390 * DAY)
    calendar.fit(students, np.random.default_rng(0))
    assert _order(calendar.score(Histories.from_lists([[4]])))[:2] == [6, 7]


def test_earlier_presentations_give_an_order_that_differs_from_the_calendar(
    courses: CourseCatalogue, students: Dataset
) -> None:
    earlier = PreviousPresentationRule(courses)
    earlier.fit(students, np.random.default_rng(0))
    assert _order(earlier.score(Histories.from_lists([[4, 5]])))[0] == 7


def test_an_empty_history_scores_zero(courses: CourseCatalogue, students: Dataset) -> None:
    rule = NextAssessmentRule(courses)
    rule.fit(students, np.random.default_rng(0))
    assert not rule.score(Histories.from_lists([[]])).any()


def test_the_target_is_the_first_submission_after_the_cutoff_and_never_an_enrolment(
    courses: CourseCatalogue,
) -> None:
    dataset = Dataset.from_events(
        ["a", "a", "a", "a", "b", "b", "c"],
        ["0", "1", "4", "5", "0", "4", "5"],
        timestamp=np.array([1, 2, 8, 9, 1, 8, 9], np.int64),
        texts={str(number): "" for number in range(8)},
    )
    numbers = [int(name) for name in dataset.item_ids]
    named = CourseCatalogue(
        *(getattr(courses, column)[numbers] for column in ("course", "step", "template", "due_at"))
    )
    split = split_at_cutoff(dataset, named, 5)
    assert [dataset.user_ids[user] for user in split.user] == ["a"]
    assert [dataset.item_ids[item] for item in split.target] == ["5"]
    assert split.histories.item.tolist() == dataset.item[:2].tolist()
