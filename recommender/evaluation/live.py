"""What followed the answers of the version in service, against the version before it: has it dropped beyond chance?

A look is taken each time the answers have grown by half. The k-th look may err with probability ERROR * 6 / (pi k)^2,
shared by the signals looked at; over all looks together that is at most ERROR, however long the watch goes on (alpha
spending, Lan and DeMets 1983, with the union bound, so that nothing is assumed about how the looks depend on each other).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import floor, log, pi, sqrt
from typing import Literal

import numpy as np
from scipy import stats

from recommender.evaluation.verdicts import Reason
from recommender.types import Bools, DataError, Doubles, Ints

Signal = Literal["clicks", "conversions", "dismissals"]
SIGNALS: tuple[Signal, ...] = ("clicks", "conversions", "dismissals")
CODES: Mapping[Signal, str] = {
    "clicks": "clicks_dropped",
    "conversions": "conversions_dropped",
    "dismissals": "dismissals_rose",
}


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """error: how likely one version is taken back although it is as good. least_change: relative, so that a drop
    too small to matter takes nothing back. least_answers: of each version before the first look. least_expected:
    clicks (or the like) that must be expected of the newer one, for below that the normal limit is no guide.
    followed_within: what comes later does not count, and an answer counts when that time is over."""

    error: float = 0.001
    least_change: float = 0.1
    least_answers: int = 200
    least_expected: float = 20.0
    followed_within: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if not 0 < self.error < 0.5 or not 0 <= self.least_change < 1:
            raise DataError(
                "The error of the watch lies between 0 and 0.5, its least change between 0 and 1."
            )
        if self.least_answers < 1 or self.least_expected < 1:
            raise DataError("The watch needs at least one answer, and one click to expect.")


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one version: who asked (numbers; a stranger has one of his own), where, and what followed."""

    profile: Ints
    place: Ints
    followed: Mapping[Signal, Bools]

    def __len__(self) -> int:
        return len(self.profile)


@dataclass(frozen=True, slots=True)
class Rate:
    """The share of answers that something followed, and its variance with a profile's answers taken together."""

    share: float
    variance: float


@dataclass(frozen=True, slots=True)
class Look:
    """`number` is 0 while it is too early. Rates are (now, before) by signal, as if both had served the same places."""

    number: int
    answers: int
    before: int
    rates: Mapping[Signal, tuple[float, float]]
    dropped: tuple[Signal, ...]

    def reasons(self, version: str) -> tuple[Reason, ...]:
        return tuple(
            Reason(
                CODES[one],
                {
                    "now": self.rates[one][0],
                    "before": self.rates[one][1],
                    "answers": self.answers,
                    "version": version,
                },
            )
            for one in self.dropped
        )


def look(now: Answers, before: Answers, *, taken: int, config: WatchConfig) -> Look:
    """`taken` is the number of the last look at this pair: the same look is not taken twice.

    Only places that both versions served are compared, the older one's weighted as the newer one's."""
    shared = np.intersect1d(now.place, before.place)
    new, old = _within(now, shared), _within(before, shared)
    number = _number(len(new), config) if len(old) >= config.least_answers else 0
    if not number:
        return Look(0, len(new), len(old), {}, ())
    shares = np.bincount(np.searchsorted(shared, new.place), minlength=shared.size) / len(new)
    rates = {one: (rate(new, one, shared, shares), rate(old, one, shared, shares)) for one in SIGNALS}
    shown = {one: (mine.share, theirs.share) for one, (mine, theirs) in rates.items()}
    if number <= taken:
        return Look(taken, len(new), len(old), shown, ())
    level = config.error * 6 / (pi * number) ** 2 / len(SIGNALS)
    fell = tuple(
        one for one, pair in rates.items() if _worse(one, *pair, (len(new), len(old)), level, config)
    )
    return Look(number, len(new), len(old), shown, fell)


def rate(answers: Answers, signal: Signal, places: Ints, shares: Doubles) -> Rate:
    """Directly standardised over places; the variance by linearisation over profiles (Cochran 1977, section 6.2)."""
    followed = answers.followed[signal].astype(np.float64)
    place = np.searchsorted(places, answers.place)
    count = np.bincount(place, minlength=places.size)
    share = np.bincount(place, weights=followed, minlength=places.size) / np.maximum(count, 1)
    part = (shares / np.maximum(count, 1))[place] * (followed - share[place])
    _, who = np.unique(answers.profile, return_inverse=True)
    of_profile = np.bincount(who, weights=part)
    spread = of_profile.size / max(of_profile.size - 1, 1)
    return Rate(float(shares @ share), float((of_profile**2).sum() * spread))


def _worse(
    signal: Signal, mine: Rate, theirs: Rate, sizes: tuple[int, int], level: float, config: WatchConfig
) -> bool:
    """Whether the relative change is past `least_change` beyond chance: one-sided, at `level`.

    A variance is at least that of independent answers at the common rate: no click at all would have none of its own."""
    common = (mine.share * sizes[0] + theirs.share * sizes[1]) / sum(sizes)
    if min(common, 1 - common) * sizes[0] < config.least_expected:
        return False
    sign, bound = (1, 1 + config.least_change) if signal == "dismissals" else (-1, 1 - config.least_change)
    independent = common * (1 - common)
    error = sqrt(
        max(mine.variance, independent / sizes[0]) + bound**2 * max(theirs.variance, independent / sizes[1])
    )
    return bool(sign * (mine.share - bound * theirs.share) > stats.norm.isf(level) * error)


def _within(answers: Answers, places: Ints) -> Answers:
    inside = np.isin(answers.place, places)
    followed = {name: found[inside] for name, found in answers.followed.items()}
    return Answers(answers.profile[inside], answers.place[inside], followed)


def _number(answers: int, config: WatchConfig) -> int:
    if answers < config.least_answers:
        return 0
    return 1 + floor(log(answers / config.least_answers) / log(1.5) + 1e-9)
