"""What the course catalogue itself knows about the next assessment: order, calendar and earlier presentations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.dataset import Dataset
from recommender.types import Bools, Doubles, Floats, Histories, Ints, Longs

DAY_MS = 86_400_000
# An assessment this long overdue is no longer what comes next.
GRACE_DAYS = 14
# Observations of a pair of assessments that count as much as all observations of its last one.
PAIR_PRIOR = 5.0
SECOND_NEXT = 0.2


@dataclass(frozen=True)
class Courses:
    """By item: course number, step within the course (0: the course itself), template (the same assessment of
    every presentation has the same one) and due time (ms)."""

    course: Longs
    step: Longs
    template: Longs
    due_at: Longs

    @property
    def is_course(self) -> Bools:
        return np.equal(self.step, 0)


@dataclass(frozen=True)
class NoConfig:
    """Nothing to set."""

    extra: Mapping[str, float] = field(default_factory=dict)


class CourseKnowledge(Recommender[NoConfig]):
    """Scores one history at a time; zero for what it has nothing to say about."""

    config_type = NoConfig

    def __init__(self, courses: Courses) -> None:
        super().__init__()
        self.courses = courses

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        """Nothing to learn from events."""

    def _score(self, histories: Histories) -> Floats:
        scores = np.zeros((len(histories), self.items), np.float32)
        for number in range(len(histories)):
            row = histories.row(number)
            if len(row):
                scores[number] = self._one(row)
        return scores

    @abstractmethod
    def _one(self, history: Ints) -> Floats: ...

    def _similarity(self, items: Ints) -> Floats:
        """Neighbouring steps of the same course."""
        course, step = self.courses.course, self.courses.step
        near = 1 / (1 + np.abs(step[items][:, None] - step[None, :]))
        return np.where(course[items][:, None] == course[None, :], near, 0).astype(np.float32)

    def _arrays(self) -> Arrays:
        return vars(self.courses).copy()

    def _restore(self, arrays: Arrays, files: Mapping[str, bytes]) -> None:
        self.courses = Courses(**arrays)


class NextOfCourse(CourseKnowledge):
    """The rule: assessments of the course last worked on, first those after the furthest step, by due day."""

    name: ClassVar[str] = "rule"

    def _one(self, history: Ints) -> Floats:
        course, step = self.courses.course, self.courses.step
        mine = course == course[history[-1]]
        furthest = step[history[mine[history]]].max()
        ahead = (step > furthest).astype(np.float32)
        return np.where(mine & ~self.courses.is_course, ahead + 1 / (1 + step), 0).astype(np.float32)


class Calendar(CourseKnowledge):
    """Assessments of all courses taken, by due time from the moment of asking on; of one day in course order."""

    name: ClassVar[str] = "calendar"

    def __init__(self, courses: Courses, asked_at: int) -> None:
        super().__init__(courses)
        days = (courses.due_at - asked_at) / DAY_MS + courses.step / 1000
        upcoming = 1 + 1 / (1 + GRACE_DAYS + np.maximum(days, -GRACE_DAYS))
        self._order = np.where(days >= -GRACE_DAYS, upcoming, 1 / (1 + np.abs(days)))
        self._order[courses.is_course] = 0

    def _one(self, history: Ints) -> Floats:
        taken = np.isin(self.courses.course, self.courses.course[history])
        return np.where(taken, self._order, 0).astype(np.float32)


class EarlierPresentations(CourseKnowledge):
    """What students of any presentation of the module handed in next after the same last two assessments."""

    name: ClassVar[str] = "earlier presentations"

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        size = int(self.courses.template.max()) + 1
        after_one, self._after_two = np.zeros((size, size)), dict[tuple[int, int], Doubles]()
        for start, stop in zip(data.indptr[:-1].tolist(), data.indptr[1:].tolist(), strict=True):
            for seen in self._by_course(data.item[start:stop]):
                np.add.at(after_one, (seen[:-1], seen[1:]), 1)
                for first, second, third in zip(seen, seen[1:], seen[2:], strict=False):
                    self._after_two.setdefault((first, second), np.zeros(size))[third] += 1
        self._after_one = after_one / np.maximum(after_one.sum(axis=1, keepdims=True), 1)

    def _by_course(self, history: Ints) -> list[list[int]]:
        course = self.courses.course[history]
        return [self.courses.template[history[course == one]].tolist() for one in np.unique(course)]

    def _one(self, history: Ints) -> Floats:
        mine = self.courses.course == self.courses.course[history[-1]]
        seen = self.courses.template[history[mine[history]]]
        chance = self._after_one[seen[-1]]
        pair = self._after_two.get((int(seen[-2]), int(seen[-1]))) if len(seen) > 1 else None
        if pair is not None:
            chance = (pair + PAIR_PRIOR * chance) / (pair.sum() + PAIR_PRIOR)
        chance = np.where(np.isin(np.arange(len(chance)), seen), 0, chance)
        chance = chance + SECOND_NEXT * (chance @ self._after_one)
        return np.where(mine, chance[self.courses.template], 0).astype(np.float32)
