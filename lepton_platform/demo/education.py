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

from lepton_platform.demo.course_knowledge import Calendar, Courses, EarlierPresentations, NextOfCourse
from lepton_platform.demo.records import DATA
from recommender.algorithms.base import Recommender
from recommender.algorithms.blend import Blend
from recommender.algorithms.popularity import Popularity, PopularityConfig
from recommender.dataset import Dataset, Split
from recommender.evaluation.blending import Rehearsal, fit_blend
from recommender.evaluation.measure import Tally, measure_all, measure_blend
from recommender.evaluation.metrics import Interval, bootstrap, gains
from recommender.evaluation.profiles import Profile, new_members
from recommender.features.text import compose_text
from recommender.types import CannotFit, Longs, Report

BLEND, INFORMED = "blend", "blend with course knowledge"
RULE, CALENDAR, POPULARITY, RECENT = NextOfCourse.name, Calendar.name, "popularity", "recent popularity"
START_MONTH = {"B": 2, "J": 10}
DAY_MS = 86_400_000
Members = dict[str, Recommender[Any]]


@dataclass(frozen=True)
class Finding:
    """Figures of each model on the same cases; differences in nDCG@k are paired by student."""

    cut: datetime
    students: int
    never_submitted_before: float
    figures: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Interval]


def read(folder: Path = DATA / "education") -> tuple[Dataset, Courses]:
    items, events = pl.read_parquet(folder / "items.parquet"), pl.read_parquet(folder / "events.parquet")
    texts = {
        row["id"]: compose_text(
            title=row["title"], description=row["description"], categories=row["categories"], tags=row["tags"]
        )
        for row in items.iter_rows(named=True)
    }
    dataset = Dataset.from_events(
        events["profile_id"].to_list(),
        events["item_id"].to_list(),
        at=events["at"].dt.epoch("ms").to_numpy().astype(np.int64),
        texts=texts,
    )
    stated = dict(zip(items["id"], map(json.loads, items["attributes"]), strict=True))
    return dataset, _courses([stated[name] for name in dataset.item_ids])


def _courses(stated: list[dict[str, Any]]) -> Courses:
    return Courses(
        course=_numbered([item["course"] for item in stated]),
        step=np.array([item.get("step", 0) for item in stated], np.int64),
        template=_numbered([(item["module"], item["type"], item.get("number", 0)) for item in stated]),
        due_at=np.array([_due_at(item) for item in stated], np.int64),
    )


def _numbered(names: list[Any]) -> Longs:
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _due_at(item: dict[str, Any]) -> int:
    year, term = int(item["presentation"][:4]), item["presentation"][4]
    start = datetime(year, START_MONTH[term], 1, 12, tzinfo=UTC)
    return int(start.timestamp() * 1000) + int(item.get("due_day", 0)) * DAY_MS


def split_at(dataset: Dataset, courses: Courses, cut: int) -> Split:
    """The target is the first submission from `cut` (ms) on; enrolments are history, never a target."""
    train = dataset.keep(dataset.at < cut)
    later = (dataset.at >= cut) & ~courses.is_course[dataset.item]
    user, first = np.unique(dataset.raw_histories.owners()[later], return_index=True)
    known = np.diff(train.indptr)[user] > 0
    target = dataset.item[later][first]
    return Split(train, train.raw_histories.take(user[known]), target[known], user[known])


def cut_of(dataset: Dataset, share: float) -> int:
    return int(np.quantile(dataset.at, 1 - share, method="higher"))


def evaluate(
    dataset: Dataset, courses: Courses, *, profile: Profile, share: float, k: int, seed: int, report: Report
) -> Finding:
    rng = np.random.default_rng(seed)
    cut = cut_of(dataset, share)
    test = split_at(dataset, courses, cut)
    earlier = cut_of(test.train, share)
    validation = split_at(test.train, courses, earlier)
    learned = _learned(validation.train, profile, rng, report)
    knowing = _knowing(courses, validation.train, asked_at=earlier, rng=rng)
    blends = {
        BLEND: _weighed(learned, validation, k),
        INFORMED: _weighed(learned | knowing, validation, k),
    }
    for number, member in enumerate(learned.values()):
        report("fit again", number / len(learned))
        member.refit(test.train, rng)
    everyone = learned | _knowing(courses, test.train, asked_at=cut, rng=rng) | _recent(test.train, rng)
    tallies = measure_all(everyone, test, k=k)
    for name, blend in blends.items():
        tallies[name] = measure_blend(everyone, blend, test, k=k)["blend"]
    seen = np.bincount(test.train.item, minlength=dataset.items)
    return Finding(
        cut=datetime.fromtimestamp(cut / 1000, UTC),
        students=len(test),
        never_submitted_before=float((seen[test.target] == 0).mean()),
        figures={name: tally.summary(np.random.default_rng(seed)) for name, tally in tallies.items()},
        weights={name: dict(blend.weights) for name, blend in blends.items()},
        differences=_differences(tallies, k, seed),
    )


def _learned(data: Dataset, profile: Profile, rng: np.random.Generator, report: Report) -> Members:
    members: Members = {}
    for name, make in new_members(profile, report).items():
        member = make()
        try:
            member.fit(data, rng)
        except CannotFit:
            continue
        members[name] = member
    return members


def _knowing(courses: Courses, data: Dataset, *, asked_at: int, rng: np.random.Generator) -> Members:
    members = [NextOfCourse(courses), Calendar(courses, asked_at), EarlierPresentations(courses)]
    for member in members:
        member.fit(data, rng)
    return {member.name: member for member in members}


def _recent(data: Dataset, rng: np.random.Generator) -> Members:
    """A fairer bar than all-time popularity, whose favourites are courses long over; in no blend."""
    member = Popularity(PopularityConfig(half_life_days=14))
    member.fit(data, rng)
    return {RECENT: member}


def _weighed(members: Members, validation: Split, k: int) -> Blend:
    rehearsal = Rehearsal(tuple(members))
    measure_all(members, validation, k=k, rehearsal=rehearsal)
    return fit_blend(rehearsal, k=k)


def _differences(tallies: Mapping[str, Tally], k: int, seed: int) -> dict[str, Interval]:
    gain = {name: gains(tally.all_ranks(), k) for name, tally in tallies.items()}
    pairs = [(BLEND, POPULARITY), (BLEND, RECENT), (BLEND, RULE), (INFORMED, RULE), (INFORMED, CALENDAR)]
    return {
        f"{ours} against {theirs}": bootstrap(gain[ours] - gain[theirs], np.random.default_rng(seed))
        for ours, theirs in pairs
    }
