"""Review summaries of a catalogue: counts and means per item, from which no single review can be reconstructed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import compress

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from recommender.language.intents.classifier import INTENTS
from recommender.types import DataError, Float32Array, Int32Array, Int64Array

FORMAT = "1"
# Columns of ReviewSummaryTable.counts; one column per intent follows.
_REVIEWERS, _POSITIVE, _FIRST_INTENT = 0, 1, 2
_ASPECT = 0  # column of ReviewSummaryTable.aspect_counts; reviewers and positive reviewers follow


@dataclass(frozen=True, slots=True)
class AspectCount:
    """Number of reviewers with an opinion on an aspect, and how many of these opinions are positive."""

    n_reviewers: int
    n_positive: int

    @property
    def positive_fraction(self) -> float:
        """Positive opinions as a fraction of all opinions."""
        return self.n_positive / self.n_reviewers


@dataclass(frozen=True, slots=True)
class ItemReviewSummary:
    """Counts over the reviewers of an item, and the means of their probabilities (0 to 1).

    `aspects` and `intents` contain only entries that MIN_REVIEWERS reviewers share; `intents` counts reviewers."""

    n_reviewers: int
    n_positive: int
    mean_sentiment: float
    mean_relevance: float = 0.5
    aspects: Mapping[str, AspectCount] = field(default_factory=dict)
    intents: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReviewSummaryTable:
    """Summaries of n items as arrays, in ascending order of item number.

    Attributes:
        aspect_names: names of the aspects that occur, sorted.
        item_no: int32 (n), item numbers.
        counts: int32 (n, 2 + intents): reviewers, positive reviewers, then reviewers per intent of INTENTS.
        mean_sentiment: float32 (n).
        mean_relevance: float32 (n).
        indptr: int64 (n + 1): item i has the rows indptr[i] to indptr[i + 1] of `aspect_counts`.
        aspect_counts: int32 (m, 3): index in `aspect_names`, reviewers with an opinion, positive ones among them.
    """

    aspect_names: tuple[str, ...]
    item_no: Int32Array
    counts: Int32Array
    mean_sentiment: Float32Array
    mean_relevance: Float32Array
    indptr: Int64Array
    aspect_counts: Int32Array

    @classmethod
    def from_items(cls, by_item: Mapping[int, ItemReviewSummary]) -> ReviewSummaryTable:
        """Builds the table from summaries by item number."""
        item_numbers = sorted(by_item)
        distinct_names = set[str]()
        for summary in by_item.values():
            distinct_names.update(summary.aspects)
        aspect_names = sorted(distinct_names)
        n_items = len(by_item)
        counts = np.zeros((n_items, _FIRST_INTENT + len(INTENTS)), np.int32)
        mean_sentiment = np.zeros(n_items, np.float32)
        mean_relevance = np.zeros(n_items, np.float32)
        indptr = np.zeros(n_items + 1, np.int64)
        aspect_counts = list[tuple[int, int, int]]()
        for row, item_no in enumerate(item_numbers):
            summary = by_item[item_no]
            counts[row, _REVIEWERS] = summary.n_reviewers
            counts[row, _POSITIVE] = summary.n_positive
            for column, intent in enumerate(INTENTS, start=_FIRST_INTENT):
                counts[row, column] = summary.intents.get(intent, 0)
            mean_sentiment[row] = summary.mean_sentiment
            mean_relevance[row] = summary.mean_relevance
            for name, count in summary.aspects.items():
                aspect = aspect_names.index(name)
                aspect_counts.append((aspect, count.n_reviewers, count.n_positive))
            indptr[row + 1] = len(aspect_counts)
        return cls(
            aspect_names=tuple(aspect_names),
            item_no=np.array(item_numbers, np.int32),
            counts=counts,
            mean_sentiment=mean_sentiment,
            mean_relevance=mean_relevance,
            indptr=indptr,
            # reshape: an empty list would otherwise give an array of shape (0,).
            aspect_counts=np.array(aspect_counts, np.int32).reshape(-1, 3),
        )

    def __len__(self) -> int:
        return len(self.item_no)

    def get_item(self, item_no: int) -> ItemReviewSummary | None:
        """Returns the summary of an item, None if the table does not contain it."""
        row = int(np.searchsorted(self.item_no, item_no))
        if row == len(self.item_no) or int(self.item_no[row]) != item_no:
            return None
        aspects = {}
        start, stop = self.indptr[row], self.indptr[row + 1]
        aspect_rows = self.aspect_counts[start:stop]
        for aspect, n_reviewers, n_positive in aspect_rows.tolist():
            aspects[self.aspect_names[aspect]] = AspectCount(n_reviewers, n_positive)
        counts = self.counts[row].tolist()
        intents = {}
        for intent, count in zip(INTENTS, counts[_FIRST_INTENT:], strict=True):
            if count:
                intents[intent] = count
        return ItemReviewSummary(
            n_reviewers=counts[_REVIEWERS],
            n_positive=counts[_POSITIVE],
            mean_sentiment=float(self.mean_sentiment[row]),
            mean_relevance=float(self.mean_relevance[row]),
            aspects=aspects,
            intents=intents,
        )

    def drop_aspects(self, names: Collection[str]) -> ReviewSummaryTable:
        """Returns the table without the given aspects."""
        is_retained = np.array([name not in names for name in self.aspect_names], np.bool_)
        if is_retained.all():
            return self
        row_is_retained = is_retained[self.aspect_counts[:, _ASPECT]]  # (m)
        aspect_counts = self.aspect_counts[row_is_retained]
        # Running counts give the new position of what remains: of aspect names, and of rows below each offset.
        new_aspect = np.cumsum(is_retained) - 1
        aspect_counts[:, _ASPECT] = new_aspect[aspect_counts[:, _ASPECT]]
        new_row = np.zeros(len(row_is_retained) + 1, np.int64)
        np.cumsum(row_is_retained, out=new_row[1:])
        return replace(
            self,
            aspect_names=tuple(compress(self.aspect_names, is_retained)),
            indptr=new_row[self.indptr],
            aspect_counts=aspect_counts,
        )

    def to_bytes(self) -> bytes:
        """Serialises to safetensors: an array per field, metadata `format`, `aspect_names` and `intents` (JSON lists)."""
        metadata = {
            "format": FORMAT,
            "aspect_names": json.dumps(self.aspect_names),
            "intents": json.dumps(INTENTS),
        }
        arrays = {name: getattr(self, name) for name in _ARRAY_FIELDS}
        return save(arrays, metadata)

    @classmethod
    def from_bytes(cls, content: bytes) -> ReviewSummaryTable:
        """Reads the content of `to_bytes`. Raises DataError for other content."""
        try:
            arrays = load(content)
            metadata = _read_metadata(content)
            if metadata["format"] != FORMAT or json.loads(metadata["intents"]) != list(INTENTS):
                raise DataError("These review summaries are in a format that this version does not read.")
            aspect_names = tuple(json.loads(metadata["aspect_names"]))
            columns = {name: arrays[name] for name in _ARRAY_FIELDS}
            return cls(aspect_names, **columns)
        except DataError:
            raise
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise DataError("The table of review summaries cannot be read.") from error


# All fields but `aspect_names`; they are the keys of the arrays in safetensors.
_ARRAY_FIELDS = tuple(column.name for column in fields(ReviewSummaryTable)[1:])
EMPTY_SUMMARY_TABLE = ReviewSummaryTable.from_items({})


def _read_metadata(content: bytes) -> Mapping[str, str]:
    """Metadata of a safetensors file: eight bytes with the length of a JSON header, then the header."""
    # safetensors.numpy.load returns the arrays only.
    size = int.from_bytes(content[:8], "little")
    metadata: Mapping[str, str] = json.loads(content[8 : 8 + size])["__metadata__"]
    return metadata
