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

from recommender.algorithms.base import Arrays, Recommender
from recommender.dataset import Dataset
from recommender.types import BoolArray, Float32Array, Float64Array, Histories, Int32Array, Int64Array
from tenants.common.time_units import DAY_MS

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
        # Broadcasting: rows are the given items, columns all items.
        distance = np.abs(step[items][:, None] - step[None, :])
        is_same_course = course[items][:, None] == course[None, :]
        proximity = 1 / (1 + distance)
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
        seen_items = history[in_course[history]]
        furthest_step = step[seen_items].max()
        is_ahead = (step > furthest_step).astype(np.float32)
        # 1 / (1 + step) is at most 1/2, so every item ahead scores above every item behind.
        order_scores = is_ahead + 1 / (1 + step)
        is_candidate = in_course & ~self.courses.is_course
        return np.where(is_candidate, order_scores, 0).astype(np.float32)


class DueDateRule(CourseBaseline):
    """Assessments of all courses in the history by due time from `request_time_ms` on, then those overdue."""

    name: ClassVar[str] = "calendar"

    def __init__(self, courses: CourseCatalogue, request_time_ms: int) -> None:
        super().__init__(courses)
        # step / 1000 orders assessments that are due on the same day.
        days_left = (courses.due_at - request_time_ms) / DAY_MS + courses.step / 1000
        # The larger score is due earlier; all are above 1, and those of overdue assessments are below.
        bounded_days = np.maximum(days_left, -GRACE_DAYS)
        upcoming_scores = 1 + 1 / (1 + GRACE_DAYS + bounded_days)
        overdue_scores = 1 / (1 + np.abs(days_left))
        self._item_scores = np.where(days_left >= -GRACE_DAYS, upcoming_scores, overdue_scores)
        self._item_scores[courses.is_course] = 0

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        taken_courses = self.courses.course[history]
        in_taken_course = np.isin(self.courses.course, taken_courses)
        return np.where(in_taken_course, self._item_scores, 0).astype(np.float32)


class PreviousPresentationRule(CourseBaseline):
    """Second-order Markov chain over assessment templates, fitted on all presentations of the modules.

    The probability of the next template given the last two is smoothed with the probability given the last one.
    """

    name: ClassVar[str] = "earlier presentations"

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        n_templates = int(self.courses.template.max()) + 1
        counts = np.zeros((n_templates, n_templates))
        self._pair_counts: dict[tuple[int, ...], Float64Array] = {}
        for user in range(data.n_users):
            history = data.item[data.indptr[user] : data.indptr[user + 1]]
            for templates in self._split_by_course(history):
                # add.at counts repeated pairs; counts[a, b] += 1 with index arrays would count them once.
                np.add.at(counts, (templates[:-1], templates[1:]), 1)
                self._count_pairs(templates, n_templates)
        row_sums = counts.sum(axis=1, keepdims=True)
        # maximum: a template that nothing follows has a row of zeros instead of a division by zero.
        self._next_probabilities = counts / np.maximum(row_sums, 1)

    def _count_pairs(self, templates: list[int], n_templates: int) -> None:
        """Counts which template follows each pair of consecutive ones."""
        for index in range(len(templates) - 2):
            pair = (templates[index], templates[index + 1])
            if pair not in self._pair_counts:
                self._pair_counts[pair] = np.zeros(n_templates)
            following = templates[index + 2]
            self._pair_counts[pair][following] += 1

    def _split_by_course(self, history: Int32Array) -> list[list[int]]:
        """The templates of each course in the history, in time order."""
        courses = self.courses.course[history]
        templates = []
        for course in np.unique(courses):
            items = history[courses == course]
            templates.append(self.courses.template[items].tolist())
        return templates

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        in_course = self._is_last_course(history)
        seen_items = history[in_course[history]]
        seen = self.courses.template[seen_items].tolist()
        probabilities = self._next_probabilities[seen[-1]]
        # With one seen template the slice has length 1, which is no key.
        pair_counts = self._pair_counts.get(tuple(seen[-2:]))
        if pair_counts is not None:
            total = pair_counts.sum() + PAIR_PRIOR
            probabilities = (pair_counts + PAIR_PRIOR * probabilities) / total
        is_seen = np.isin(np.arange(len(probabilities)), seen)
        probabilities = np.where(is_seen, 0, probabilities)
        # The assessment after the next one, because students skip assessments.
        second_next = probabilities @ self._next_probabilities
        probabilities = probabilities + SECOND_NEXT_WEIGHT * second_next
        item_scores = probabilities[self.courses.template]
        return np.where(in_course, item_scores, 0).astype(np.float32)
