"""What the reviews of a catalogue say together: counts for each item, from which no single review can be read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from recommender.dataset import ItemReviewFeatures
from recommender.types import DataError, Float32Array, Int32Array, Int64Array

MIN_REVIEWERS = 5
INTENTS = ("buy_again", "return", "complain", "ask")
FORMAT = "1"
_PRIOR_REVIEWERS = 5.0  # reviews of the catalogue's mean that every item is thought to have beside its own
_ARRAY_FIELDS = ("item_no", "counts", "mean_sentiment", "mean_relevance", "indptr", "aspect_counts")


@dataclass(frozen=True, slots=True)
class ReviewAnalysis:
    """What one review says: the probability that it praises, +1 or -1 for each aspect it judges, what its writer
    means to do, and the probability that it speaks well of what the item is described as."""

    sentiment: float
    aspects: Mapping[str, int] = field(default_factory=dict)
    intents: frozenset[str] = frozenset()
    relevance: float = 0.5


@dataclass(frozen=True, slots=True)
class AnalysedReview:
    """One reading of one item. `person` tells people apart; a review of nobody known is a person of its own."""

    item: int
    person: bytes
    timestamp_ms: int
    analysis: ReviewAnalysis


@dataclass(frozen=True, slots=True)
class AspectCount:
    """Of `said` people who had an opinion on it `praised` praised it."""

    n_reviewers: int
    n_positive: int

    @property
    def positive_fraction(self) -> float:
        return self.n_positive / self.n_reviewers


@dataclass(frozen=True, slots=True)
class ItemReviewSummary:
    """Of `voices` people `praised` liked the item; `score` and `agreement` are means of their probabilities, 0 to 1.

    Only aspects that LEAST_VOICES people had an opinion on are here; `intents` count people likewise."""

    n_reviewers: int
    n_positive: int
    mean_sentiment: float
    mean_relevance: float = 0.5
    aspects: Mapping[str, AspectCount] = field(default_factory=dict)
    intents: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReviewSummaryTable:
    """Opinions by item number, as arrays: a row for each item with at least LEAST_VOICES people, by rising number.

    counts int32 (n, 2 + intents): voices, praised, then people by intent; aspects of row i lie at indptr[i] to
    indptr[i + 1] of said int32 (m, 3): place in `names`, people who had an opinion, of them praising."""

    aspect_names: tuple[str, ...]
    item_no: Int32Array
    counts: Int32Array
    mean_sentiment: Float32Array
    mean_relevance: Float32Array
    indptr: Int64Array
    aspect_counts: Int32Array

    @classmethod
    def from_items(cls, by_item: Mapping[int, ItemReviewSummary]) -> ReviewSummaryTable:
        rows = sorted(by_item.items())
        names = tuple(sorted({name for _, opinion in rows for name in opinion.aspects}))
        place = {name: at for at, name in enumerate(names)}
        said = [
            (place[n], c.n_reviewers, c.n_positive) for _, opinion in rows for n, c in opinion.aspects.items()
        ]
        counts = [(o.n_reviewers, o.n_positive, *(o.intents.get(i, 0) for i in INTENTS)) for _, o in rows]
        return cls(
            names,
            np.array([number for number, _ in rows], np.int32),
            np.array(counts, np.int32).reshape(len(rows), 2 + len(INTENTS)),
            np.array([opinion.mean_sentiment for _, opinion in rows], np.float32),
            np.array([opinion.mean_relevance for _, opinion in rows], np.float32),
            np.cumsum([0, *(len(opinion.aspects) for _, opinion in rows)]).astype(np.int64),
            np.array(said, np.int32).reshape(-1, 3),
        )

    def __len__(self) -> int:
        return len(self.item_no)

    def get_item(self, item_no: int) -> ItemReviewSummary | None:
        """None for an item that too few people spoke about."""
        row = int(np.searchsorted(self.item_no, item_no))
        if row == len(self.item_no) or int(self.item_no[row]) != item_no:
            return None
        said = self.aspect_counts[self.indptr[row] : self.indptr[row + 1]].tolist()
        voices, praised, *intents = self.counts[row].tolist()
        return ItemReviewSummary(
            voices,
            praised,
            float(self.mean_sentiment[row]),
            float(self.mean_relevance[row]),
            {self.aspect_names[at]: AspectCount(people, good) for at, people, good in said},
            {name: count for name, count in zip(INTENTS, intents, strict=True) if count},
        )

    def drop_aspects(self, names: Collection[str]) -> ReviewSummaryTable:
        """The same without some aspects."""
        if not set(names) & set(self.aspect_names):
            return self
        kept = {}
        for number in self.item_no.tolist():
            opinion = self.get_item(number)
            assert opinion is not None  # noqa: S101 - its number stands in the table
            aspects = {name: count for name, count in opinion.aspects.items() if name not in names}
            kept[number] = replace(opinion, aspects=aspects)
        return ReviewSummaryTable.from_items(kept)

    def to_bytes(self) -> bytes:
        arrays = {name: getattr(self, name) for name in _ARRAY_FIELDS}
        return save(
            arrays,
            {"format": FORMAT, "aspect_names": json.dumps(self.aspect_names), "intents": json.dumps(INTENTS)},
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> ReviewSummaryTable:
        """What to_bytes() wrote. Raises DataError."""
        try:
            arrays, told = load(content), _read_metadata(content)
            if told["format"] != FORMAT or json.loads(told["intents"]) != list(INTENTS):
                raise DataError("These opinions were written in a format this version does not read.")
            return cls(tuple(json.loads(told["aspect_names"])), *(arrays[name] for name in _ARRAY_FIELDS))
        except (SafetensorError, ValueError, KeyError, TypeError) as fault:
            if isinstance(fault, DataError):
                raise
            raise DataError("The table of opinions cannot be read.") from fault


EMPTY_SUMMARY_TABLE = ReviewSummaryTable.from_items({})


def _read_metadata(content: bytes) -> Mapping[str, str]:
    """Of safetensors: eight bytes of length, then a head of JSON."""
    size = int.from_bytes(content[:8], "little")
    told: Mapping[str, str] = json.loads(content[8 : 8 + size])["__metadata__"]
    return told


def aggregate_reviews(
    reviews: Iterable[AnalysedReview], *, cutoff_ms: int | None = None, min_reviewers: int = MIN_REVIEWERS
) -> ReviewSummaryTable:
    """Each person counts once an item, by the latest review; those after `until` (milliseconds) do not count."""
    latest: dict[tuple[int, bytes], AnalysedReview] = {}
    for voice in reviews:
        if cutoff_ms is not None and voice.timestamp_ms > cutoff_ms:
            continue
        key = voice.item, voice.person
        if key not in latest or latest[key].timestamp_ms <= voice.timestamp_ms:
            latest[key] = voice
    by_item: dict[int, list[ReviewAnalysis]] = {}
    for (item, _person), voice in latest.items():
        by_item.setdefault(item, []).append(voice.analysis)
    return ReviewSummaryTable.from_items(
        {
            item: _summarize_item(rows, min_reviewers)
            for item, rows in by_item.items()
            if len(rows) >= min_reviewers
        }
    )


def _summarize_item(analyses: Sequence[ReviewAnalysis], min_reviewers: int) -> ItemReviewSummary:
    said: dict[str, list[int]] = {}
    for reading in analyses:
        for name, polarity in reading.aspects.items():
            said.setdefault(name, []).append(polarity)
    aspects = {
        name: AspectCount(len(signs), sum(sign > 0 for sign in signs))
        for name, signs in sorted(said.items())
        if len(signs) >= min_reviewers
    }
    intents = {name: sum(name in reading.intents for reading in analyses) for name in INTENTS}
    return ItemReviewSummary(
        n_reviewers=len(analyses),
        n_positive=sum(reading.sentiment > 0.5 for reading in analyses),
        mean_sentiment=float(np.mean([reading.sentiment for reading in analyses])),
        mean_relevance=float(np.mean([reading.relevance for reading in analyses])),
        aspects=aspects,
        intents={name: count for name, count in intents.items() if count >= min_reviewers},
    )


def build_review_features(
    summaries: ReviewSummaryTable, item_no: Sequence[int], aspect_names: Sequence[str]
) -> ItemReviewFeatures:
    """Rows in the order of `item_no`; only the aspects named become columns."""
    rows = [(at, summaries.get_item(number)) for at, number in enumerate(item_no)]
    known = [(at, told) for at, told in rows if told is not None]
    regard, agreement = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    aspects = np.zeros((len(rows), len(aspect_names)), np.float32)
    _fill_shrunk_values(regard, [(at, told.mean_sentiment, told.n_reviewers) for at, told in known])
    _fill_shrunk_values(agreement, [(at, told.mean_relevance, told.n_reviewers) for at, told in known])
    for column, name in enumerate(aspect_names):
        counts = [(at, told.aspects[name]) for at, told in known if name in told.aspects]
        _fill_shrunk_values(
            aspects[:, column], [(at, count.positive_fraction, count.n_reviewers) for at, count in counts]
        )
    return ItemReviewFeatures(tuple(aspect_names), regard, agreement, aspects)


def _fill_shrunk_values(column: Float32Array, values: Sequence[tuple[int, float, int]]) -> None:
    """Each value less the mean over all people, shrunk by how few people stand behind it."""
    if values:
        mean = sum(value * people for _, value, people in values) / sum(people for _, _, people in values)
        for at, value, people in values:
            column[at] = (value - mean) * people / (people + _PRIOR_REVIEWERS)
