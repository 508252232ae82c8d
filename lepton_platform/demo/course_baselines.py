"""Baselines from the course catalogue for the next assessment: course order, due dates, earlier presentations.

A presentation is one run of a module (e.g. 2014 J). In these recommenders an item is a course (step 0) or an
assessment of it (steps from 1).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from common.time_units import DAY_MS
from recommender.algorithms.base import Arrays, Recommender
from recommender.dataset import Dataset
from recommender.types import BoolArray, Float32Array, Float64Array, Histories, Int32Array, Int64Array

# An assessment this many days overdue is ranked behind all upcoming ones.
GRACE_DAYS = 14
# Weight of the transition counts of the last assessment against those of the last two (additive smoothing).
PAIR_PRIOR = 5.0
SECOND_NEXT_WEIGHT = 0.2


@dataclass(frozen=True)
class CourseCatalogue:
    """Arrays of shape (n_items,).

    `course`: course number. `step`: position within the course, 0 for the course itself. `template`: the same number
    for the same assessment of every presentation. `due_at`: due time, ms since 1970.
    """

    course: Int64Array
    step: Int64Array
    template: Int64Array
    due_at: Int64Array

    @property
    def is_course(self) -> BoolArray:
        """Shape (n_items,): items that are courses, not assessments."""
        return np.equal(self.step, 0)


@dataclass(frozen=True)
class EmptyConfig:
    """These baselines have no hyper-parameters."""

    extra: Mapping[str, float] = field(default_factory=dict)


class CourseBaseline(Recommender[EmptyConfig]):
    """Scores one history at a time; items without evidence score 0."""

    config_type = EmptyConfig

    def __init__(self, courses: CourseCatalogue) -> None:
        super().__init__()
        self.courses = courses

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        """The catalogue is the model; subclasses may count events."""

    def _score_batch(self, histories: Histories) -> Float32Array:
        scores = np.zeros((len(histories), self.items), np.float32)
        for row in range(len(histories)):
            history = histories.slice_row(row)
            if len(history):
                scores[row] = self._score_next_items(history)
        return scores

    @abstractmethod
    def _score_next_items(self, history: Int32Array) -> Float32Array:
        """Scores, shape (n_items,), for a history of item numbers in time order, not empty."""

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        """Shape (len(items), n_items): 1 / (1 + distance in steps) within a course, 0 across courses."""
        course, step = self.courses.course, self.courses.step
        proximity = 1 / (1 + np.abs(step[items][:, None] - step[None, :]))
        is_same_course = course[items][:, None] == course[None, :]
        return np.where(is_same_course, proximity, 0).astype(np.float32)

    def _to_arrays(self) -> Arrays:
        return vars(self.courses).copy()

    def _restore_state(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        self.courses = CourseCatalogue(**arrays)

    def _is_last_course(self, history: Int32Array) -> BoolArray:
        """Shape (n_items,): items of the course of the history's last item."""
        is_same: BoolArray = self.courses.course == self.courses.course[history[-1]]
        return is_same


class NextAssessmentRule(CourseBaseline):
    """Assessments of the last course in course order; those after the furthest step reached come first."""

    name: ClassVar[str] = "rule"

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        step = self.courses.step
        in_course = self._is_last_course(history)
        # in_course[history] selects the history's own items of that course.
        furthest_step = step[history[in_course[history]]].max()
        is_ahead = (step > furthest_step).astype(np.float32)
        # 1 / (1 + step) is at most 1/2, so every item ahead scores above every item behind.
        scores = np.where(in_course & ~self.courses.is_course, is_ahead + 1 / (1 + step), 0)
        return scores.astype(np.float32)


class DueDateRule(CourseBaseline):
    """Assessments of all courses in the history by due time from `request_time_ms` on, then those overdue."""

    name: ClassVar[str] = "calendar"

    def __init__(self, courses: CourseCatalogue, request_time_ms: int) -> None:
        super().__init__(courses)
        # step / 1000 orders assessments that are due on the same day.
        days_left = (courses.due_at - request_time_ms) / DAY_MS + courses.step / 1000
        upcoming_scores = 1 + 1 / (1 + GRACE_DAYS + np.maximum(days_left, -GRACE_DAYS))
        overdue_scores = 1 / (1 + np.abs(days_left))
        self._item_scores = np.where(days_left >= -GRACE_DAYS, upcoming_scores, overdue_scores)
        self._item_scores[courses.is_course] = 0

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        in_taken_course = np.isin(self.courses.course, self.courses.course[history])
        return np.where(in_taken_course, self._item_scores, 0).astype(np.float32)


class PreviousPresentationRule(CourseBaseline):
    """Second-order Markov chain over assessment templates, fitted on all presentations of the modules.

    The probability of the next template given the last two is smoothed with the probability given the last one.
    """

    name: ClassVar[str] = "earlier presentations"

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        n_templates = int(self.courses.template.max()) + 1
        counts = np.zeros((n_templates, n_templates))
        self._pair_counts: dict[tuple[int, int], Float64Array] = {}
        for start, stop in zip(data.indptr[:-1].tolist(), data.indptr[1:].tolist(), strict=True):
            for templates in self._split_by_course(data.item[start:stop]):
                # add.at counts repeated pairs; counts[a, b] += 1 with index arrays would count them once.
                np.add.at(counts, (templates[:-1], templates[1:]), 1)
                for before_last, last, following in zip(
                    templates, templates[1:], templates[2:], strict=False
                ):
                    pair = self._pair_counts.setdefault((before_last, last), np.zeros(n_templates))
                    pair[following] += 1
        self._next_probabilities = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def _split_by_course(self, history: Int32Array) -> list[list[int]]:
        """The templates of each course in the history, in time order."""
        courses = self.courses.course[history]
        return [self.courses.template[history[courses == course]].tolist() for course in np.unique(courses)]

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        in_course = self._is_last_course(history)
        seen = self.courses.template[history[in_course[history]]]
        probabilities = self._next_probabilities[seen[-1]]
        pair_counts = None
        if len(seen) > 1:
            pair_counts = self._pair_counts.get((int(seen[-2]), int(seen[-1])))
        if pair_counts is not None:
            probabilities = (pair_counts + PAIR_PRIOR * probabilities) / (pair_counts.sum() + PAIR_PRIOR)
        is_seen = np.isin(np.arange(len(probabilities)), seen)
        probabilities = np.where(is_seen, 0, probabilities)
        # The assessment after the next one, because students skip assessments.
        probabilities = probabilities + SECOND_NEXT_WEIGHT * (probabilities @ self._next_probabilities)
        return np.where(in_course, probabilities[self.courses.template], 0).astype(np.float32)
