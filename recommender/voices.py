"""A tenant's reviews, read in a worker: nothing of a single review outlives the training that read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import ItemOpinions
from recommender.features.specification import Denials
from recommender.language.lexicon import aspect_names, aspect_terms
from recommender.language.opinions import Opinions, Voice, as_features, gathered
from recommender.language.reading import ReviewReader, Written
from tenants.data.presets import never_features
from tenants.data.queries import profiles, reviews, space
from tenants.data.queries.reviews import StoredReview
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

_GRANTED, _REFUSED = 1, 2
MOST_REVIEWS = 20_000
WITHOUT_CONSENT, ITEM_GONE = "review without consent", "review of a retired item"


@dataclass(frozen=True, slots=True)
class Heard:
    """`stored` reviews were looked at; `left_out` counts those that say nothing here, by reason. `denied` are aspects
    that may be neither a feature nor a reason in this space."""

    voices: Sequence[Voice]
    denied: tuple[str, ...]
    stored: int
    left_out: dict[str, int]

    def opinions(self, *, until: int | None = None) -> Opinions:
        """Of at least five people an item; `until` in milliseconds leaves out what was written later."""
        return gathered(self.voices, until=until).without(self.denied)

    def features(self, opinions: Opinions, item_no: NDArray[np.int32]) -> ItemOpinions | None:
        """None where nothing is known of any of the items."""
        allowed = [name for name in aspect_names() if name not in self.denied]
        found = as_features(opinions, item_no.tolist(), allowed)
        return found if found.present else None


def load(
    tenant: TenantRef,
    about: Mapping[int, str],
    *,
    reader: Callable[[], ReviewReader],
    actor: Actor,
    report: Callable[[float], None],
    most: int = MOST_REVIEWS,
) -> Heard:
    """The newest `most`, of people whose behaviour may be learned from and of nobody known.

    `about` is the text of each live item by number; reviews of other items are left out. `reader` makes the reader when
    there is something to read. `report` hears the fraction done."""
    with scope(tenant, actor=actor) as s:
        state = space.state(s)
        opt_in = state.privacy.basis == "opt_in"
        asked = profiles.with_consent(s, _GRANTED if opt_in else _REFUSED)
        expected = min(reviews.count(s), most)
    denials = Denials(never_features(state.vertical, state.privacy))
    denied = tuple(name for name in aspect_names() if _denied(denials, name))
    if not expected:
        return Heard((), denied, 0, {})
    reading = _Reading(reader(), about, asked, opt_in=opt_in)
    # Of many that share a moment, as after an import, the scan gives all.
    newest = chain.from_iterable(map(_parts, reviews.scan(tenant, actor=actor, most=most)))
    while reading.stored < expected and (part := next(newest, None)):
        reading.take(part)
        report(min(reading.stored / expected, 1.0))
    return Heard(reading.voices, denied, reading.stored, reading.counted())


def _denied(denials: Denials, name: str) -> bool:
    """By its name, or by any word it is called by in a review."""
    terms = [
        term for language in ("en", "zh") for term, aspect in aspect_terms(language).items() if aspect == name
    ]
    return any(denials.reason(term) for term in (name, *terms))


def _parts(page: Sequence[StoredReview], size: int = 250) -> Iterator[Sequence[StoredReview]]:
    """Small enough that a cancelled job stops within a second or two."""
    for start in range(0, len(page), size):
        yield page[start : start + size]


class _Reading:
    """Growing voices; `asked` are the profiles that granted, under opt-in, or refused."""

    def __init__(
        self, reader: ReviewReader, about: Mapping[int, str], asked: set[bytes], *, opt_in: bool
    ) -> None:
        self._reader, self._about, self._asked, self._opt_in = reader, about, asked, opt_in
        self.voices: list[Voice] = []
        self.stored, self._refused, self._gone = 0, 0, 0

    def take(self, page: Sequence[StoredReview]) -> None:
        live = [one for one in page if one.item_no in self._about]
        may = [
            one for one in live if one.profile_key is None or (one.profile_key in self._asked) is self._opt_in
        ]
        self.stored += len(page)
        self._gone += len(page) - len(live)
        self._refused += len(live) - len(may)
        told = [
            Written(one.review.title, one.review.text, one.review.language, self._about[one.item_no])
            for one in may
        ]
        for stored, reading in zip(may, self._reader.read(told), strict=True):
            if reading is not None:
                person = b"p" + stored.profile_key if stored.profile_key else b"r" + stored.key
                self.voices.append(Voice(stored.item_no, person, int(stored.at.timestamp() * 1000), reading))

    def counted(self) -> dict[str, int]:
        found = Counter({WITHOUT_CONSENT: self._refused, ITEM_GONE: self._gone}) + self._reader.left_out
        return {name: count for name, count in found.items() if count}
