"""What the course catalogue itself knows about the next assessment: order, calendar and earlier presentations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.dataset import Dataset
from recommender.types import BoolArray, Float32Array, Float64Array, Histories, Int32Array, Int64Array

DAY_MS = 86_400_000
# An assessment this long overdue is no longer what comes next.
GRACE_DAYS = 14
# Observations of a pair of assessments that count as much as all observations of its last one.
PAIR_PRIOR = 5.0
SECOND_NEXT_WEIGHT = 0.2


@dataclass(frozen=True)
class CourseCatalogue:
    """By item: course number, step within the course (0: the course itself), template (the same assessment of
    every presentation has the same one) and due time (ms)."""

    course: Int64Array
    step: Int64Array
    template: Int64Array
    due_at: Int64Array

    @property
    def is_course(self) -> BoolArray:
        return np.equal(self.step, 0)


@dataclass(frozen=True)
class EmptyConfig:
    """Nothing to set."""

    extra: Mapping[str, float] = field(default_factory=dict)


class CourseBaseline(Recommender[EmptyConfig]):
    """Scores one history at a time; zero for what it has nothing to say about."""

    config_type = EmptyConfig

    def __init__(self, courses: CourseCatalogue) -> None:
        super().__init__()
        self.courses = courses

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        """Nothing to learn from events."""

    def _score_batch(self, histories: Histories) -> Float32Array:
        scores = np.zeros((len(histories), self.items), np.float32)
        for number in range(len(histories)):
            row = histories.slice_row(number)
            if len(row):
                scores[number] = self._score_next_items(row)
        return scores

    @abstractmethod
    def _score_next_items(self, history: Int32Array) -> Float32Array: ...

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        """Neighbouring steps of the same course."""
        course, step = self.courses.course, self.courses.step
        near = 1 / (1 + np.abs(step[items][:, None] - step[None, :]))
        return np.where(course[items][:, None] == course[None, :], near, 0).astype(np.float32)

    def _to_arrays(self) -> Arrays:
        return vars(self.courses).copy()

    def _restore_state(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        self.courses = CourseCatalogue(**arrays)


class NextAssessmentRule(CourseBaseline):
    """The rule: assessments of the course last worked on, first those after the furthest step, by due day."""

    name: ClassVar[str] = "rule"

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        course, step = self.courses.course, self.courses.step
        mine = course == course[history[-1]]
        furthest = step[history[mine[history]]].max()
        ahead = (step > furthest).astype(np.float32)
        return np.where(mine & ~self.courses.is_course, ahead + 1 / (1 + step), 0).astype(np.float32)


class DueDateRule(CourseBaseline):
    """Assessments of all courses taken, by due time from the moment of asking on; of one day in course order."""

    name: ClassVar[str] = "calendar"

    def __init__(self, courses: CourseCatalogue, request_time_ms: int) -> None:
        super().__init__(courses)
        days = (courses.due_at - request_time_ms) / DAY_MS + courses.step / 1000
        upcoming = 1 + 1 / (1 + GRACE_DAYS + np.maximum(days, -GRACE_DAYS))
        self._item_scores = np.where(days >= -GRACE_DAYS, upcoming, 1 / (1 + np.abs(days)))
        self._item_scores[courses.is_course] = 0

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        taken = np.isin(self.courses.course, self.courses.course[history])
        return np.where(taken, self._item_scores, 0).astype(np.float32)


class PreviousPresentationRule(CourseBaseline):
    """What students of any presentation of the module handed in next after the same last two assessments."""

    name: ClassVar[str] = "earlier presentations"

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        size = int(self.courses.template.max()) + 1
        after_one, self._pair_counts = np.zeros((size, size)), dict[tuple[int, int], Float64Array]()
        for start, stop in zip(data.indptr[:-1].tolist(), data.indptr[1:].tolist(), strict=True):
            for seen in self._split_by_course(data.item[start:stop]):
                np.add.at(after_one, (seen[:-1], seen[1:]), 1)
                for first, second, third in zip(seen, seen[1:], seen[2:], strict=False):
                    self._pair_counts.setdefault((first, second), np.zeros(size))[third] += 1
        self._next_probabilities = after_one / np.maximum(after_one.sum(axis=1, keepdims=True), 1)

    def _split_by_course(self, history: Int32Array) -> list[list[int]]:
        course = self.courses.course[history]
        return [self.courses.template[history[course == one]].tolist() for one in np.unique(course)]

    def _score_next_items(self, history: Int32Array) -> Float32Array:
        mine = self.courses.course == self.courses.course[history[-1]]
        seen = self.courses.template[history[mine[history]]]
        chance = self._next_probabilities[seen[-1]]
        pair = self._pair_counts.get((int(seen[-2]), int(seen[-1]))) if len(seen) > 1 else None
        if pair is not None:
            chance = (pair + PAIR_PRIOR * chance) / (pair.sum() + PAIR_PRIOR)
        chance = np.where(np.isin(np.arange(len(chance)), seen), 0, chance)
        chance = chance + SECOND_NEXT_WEIGHT * (chance @ self._next_probabilities)
        return np.where(mine, chance[self.courses.template], 0).astype(np.float32)
