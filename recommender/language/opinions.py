"""What the reviews of a catalogue say together: counts for each item, from which no single review can be read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from recommender.dataset import ItemOpinions
from recommender.types import DataError, Floats, Ints, Longs

LEAST_VOICES = 5
INTENTS = ("buy_again", "return", "complain", "ask")
FORMAT = "1"
_PRIOR = 5.0  # reviews of the catalogue's mean that every item is thought to have beside its own
_ARRAYS = ("item_no", "counts", "score", "agreement", "indptr", "said")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one review says: the probability that it praises, +1 or -1 for each aspect it judges, what its writer
    means to do, and the probability that it speaks well of what the item is described as."""

    sentiment: float
    aspects: Mapping[str, int] = field(default_factory=dict)
    intents: frozenset[str] = frozenset()
    agreement: float = 0.5


@dataclass(frozen=True, slots=True)
class Voice:
    """One reading of one item. `person` tells people apart; a review of nobody known is a person of its own."""

    item: int
    person: bytes
    at: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class AspectCount:
    """Of `said` people who had an opinion on it `praised` praised it."""

    said: int
    praised: int

    @property
    def share(self) -> float:
        return self.praised / self.said


@dataclass(frozen=True, slots=True)
class ItemOpinion:
    """Of `voices` people `praised` liked the item; `score` and `agreement` are means of their probabilities, 0 to 1.

    Only aspects that LEAST_VOICES people had an opinion on are here; `intents` count people likewise."""

    voices: int
    praised: int
    score: float
    agreement: float = 0.5
    aspects: Mapping[str, AspectCount] = field(default_factory=dict)
    intents: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opinions:
    """Opinions by item number, as arrays: a row for each item with at least LEAST_VOICES people, by rising number.

    counts int32 (n, 2 + intents): voices, praised, then people by intent; aspects of row i lie at indptr[i] to
    indptr[i + 1] of said int32 (m, 3): place in `names`, people who had an opinion, of them praising."""

    names: tuple[str, ...]
    item_no: Ints
    counts: Ints
    score: Floats
    agreement: Floats
    indptr: Longs
    said: Ints

    @classmethod
    def of(cls, by_item: Mapping[int, ItemOpinion]) -> Opinions:
        rows = sorted(by_item.items())
        names = tuple(sorted({name for _, opinion in rows for name in opinion.aspects}))
        place = {name: at for at, name in enumerate(names)}
        said = [(place[n], c.said, c.praised) for _, opinion in rows for n, c in opinion.aspects.items()]
        counts = [(o.voices, o.praised, *(o.intents.get(i, 0) for i in INTENTS)) for _, o in rows]
        return cls(
            names,
            np.array([number for number, _ in rows], np.int32),
            np.array(counts, np.int32).reshape(len(rows), 2 + len(INTENTS)),
            np.array([opinion.score for _, opinion in rows], np.float32),
            np.array([opinion.agreement for _, opinion in rows], np.float32),
            np.cumsum([0, *(len(opinion.aspects) for _, opinion in rows)]).astype(np.int64),
            np.array(said, np.int32).reshape(-1, 3),
        )

    def __len__(self) -> int:
        return len(self.item_no)

    def get(self, item: int) -> ItemOpinion | None:
        """None for an item that too few people spoke about."""
        row = int(np.searchsorted(self.item_no, item))
        if row == len(self.item_no) or int(self.item_no[row]) != item:
            return None
        said = self.said[self.indptr[row] : self.indptr[row + 1]].tolist()
        voices, praised, *intents = self.counts[row].tolist()
        return ItemOpinion(
            voices,
            praised,
            float(self.score[row]),
            float(self.agreement[row]),
            {self.names[at]: AspectCount(people, good) for at, people, good in said},
            {name: count for name, count in zip(INTENTS, intents, strict=True) if count},
        )

    def without(self, names: Collection[str]) -> Opinions:
        """The same without some aspects."""
        if not set(names) & set(self.names):
            return self
        kept = {}
        for number in self.item_no.tolist():
            opinion = self.get(number)
            assert opinion is not None  # noqa: S101 - its number stands in the table
            aspects = {name: count for name, count in opinion.aspects.items() if name not in names}
            kept[number] = replace(opinion, aspects=aspects)
        return Opinions.of(kept)

    def to_bytes(self) -> bytes:
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return save(
            arrays, {"format": FORMAT, "names": json.dumps(self.names), "intents": json.dumps(INTENTS)}
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Opinions:
        """What to_bytes() wrote. Raises DataError."""
        try:
            arrays, told = load(content), _metadata(content)
            if told["format"] != FORMAT or json.loads(told["intents"]) != list(INTENTS):
                raise DataError("These opinions were written in a format this version does not read.")
            return cls(tuple(json.loads(told["names"])), *(arrays[name] for name in _ARRAYS))
        except (SafetensorError, ValueError, KeyError, TypeError) as fault:
            if isinstance(fault, DataError):
                raise
            raise DataError("The table of opinions cannot be read.") from fault


NO_OPINIONS = Opinions.of({})


def _metadata(content: bytes) -> Mapping[str, str]:
    """Of safetensors: eight bytes of length, then a head of JSON."""
    size = int.from_bytes(content[:8], "little")
    told: Mapping[str, str] = json.loads(content[8 : 8 + size])["__metadata__"]
    return told


def gathered(voices: Iterable[Voice], *, until: int | None = None, least: int = LEAST_VOICES) -> Opinions:
    """Each person counts once an item, by the latest review; those after `until` (milliseconds) do not count."""
    latest: dict[tuple[int, bytes], Voice] = {}
    for voice in voices:
        if until is not None and voice.at > until:
            continue
        key = voice.item, voice.person
        if key not in latest or latest[key].at <= voice.at:
            latest[key] = voice
    by_item: dict[int, list[Reading]] = {}
    for (item, _person), voice in latest.items():
        by_item.setdefault(item, []).append(voice.reading)
    return Opinions.of({item: _together(rows, least) for item, rows in by_item.items() if len(rows) >= least})


def _together(readings: Sequence[Reading], least: int) -> ItemOpinion:
    said: dict[str, list[int]] = {}
    for reading in readings:
        for name, polarity in reading.aspects.items():
            said.setdefault(name, []).append(polarity)
    aspects = {
        name: AspectCount(len(signs), sum(sign > 0 for sign in signs))
        for name, signs in sorted(said.items())
        if len(signs) >= least
    }
    intents = {name: sum(name in reading.intents for reading in readings) for name in INTENTS}
    return ItemOpinion(
        voices=len(readings),
        praised=sum(reading.sentiment > 0.5 for reading in readings),
        score=float(np.mean([reading.sentiment for reading in readings])),
        agreement=float(np.mean([reading.agreement for reading in readings])),
        aspects=aspects,
        intents={name: count for name, count in intents.items() if count >= least},
    )


def as_features(opinions: Opinions, item_no: Sequence[int], names: Sequence[str]) -> ItemOpinions:
    """Rows in the order of `item_no`; only the aspects named become columns."""
    rows = [(at, opinions.get(number)) for at, number in enumerate(item_no)]
    known = [(at, told) for at, told in rows if told is not None]
    regard, agreement = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    aspects = np.zeros((len(rows), len(names)), np.float32)
    _spread(regard, [(at, told.score, told.voices) for at, told in known])
    _spread(agreement, [(at, told.agreement, told.voices) for at, told in known])
    for column, name in enumerate(names):
        counts = [(at, told.aspects[name]) for at, told in known if name in told.aspects]
        _spread(aspects[:, column], [(at, count.share, count.said) for at, count in counts])
    return ItemOpinions(tuple(names), regard, agreement, aspects)


def _spread(column: Floats, told: Sequence[tuple[int, float, int]]) -> None:
    """Each value less the mean over all people, shrunk by how few people stand behind it."""
    if told:
        mean = sum(value * people for _, value, people in told) / sum(people for _, _, people in told)
        for at, value, people in told:
            column[at] = (value - mean) * people / (people + _PRIOR)
