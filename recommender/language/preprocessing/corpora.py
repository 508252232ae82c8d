"""Labelled texts from CSV and TSV files: training and test data of sentiment classifiers. Texts are not cleaned here."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recommender.types import BoolArray, DataError, Int64Array

_TEXT_COLUMNS = ("text", "review", "sentence")
_POSITIVE = frozenset({"1", "positive", "pos", "true", "praise", "+"})
_NEGATIVE = frozenset({"0", "-1", "negative", "neg", "false", "blame", "-"})
_LABELS = _POSITIVE | _NEGATIVE
MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Texts with a binary sentiment label: is_positive bool (n); descriptions of the reviewed items, () if unknown."""

    texts: tuple[str, ...]
    is_positive: BoolArray
    descriptions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Int64Array) -> LabelledTexts:
        """Returns the given rows in the given order."""
        indices = rows.tolist()
        descriptions: tuple[str, ...] = ()
        if self.descriptions:
            descriptions = tuple(self.descriptions[index] for index in indices)
        return LabelledTexts(
            texts=tuple(self.texts[index] for index in indices),
            is_positive=self.is_positive[rows],
            descriptions=descriptions,
        )

    def __add__(self, other: LabelledTexts) -> LabelledTexts:
        descriptions: tuple[str, ...] = ()
        # Descriptions are parallel to texts, so they are concatenated only if both operands have them.
        all_described = len(self.descriptions) == len(self.texts)
        if all_described and other.descriptions:
            descriptions = self.descriptions + other.descriptions
        return LabelledTexts(
            texts=self.texts + other.texts,
            is_positive=np.concatenate([self.is_positive, other.is_positive]),
            descriptions=descriptions,
        )


def concatenate_texts(parts: Iterable[LabelledTexts]) -> LabelledTexts:
    """Returns all rows of the parts in order."""
    return sum(parts, LabelledTexts((), np.empty(0, np.bool_)))


def split_train_test_rows(
    size: int, *, test_fraction: float = 0.1, seed: int = 0
) -> tuple[Int64Array, Int64Array]:
    """Returns a random split of the rows 0..size-1 into training rows and test rows, each ascending."""
    order = np.random.default_rng(seed).permutation(size).astype(np.int64)
    n_test = round(size * test_fraction)
    return np.sort(order[n_test:]), np.sort(order[:n_test])


def read_labelled_table(path: Path) -> LabelledTexts:
    """Reads a CSV or TSV file, plain, gzipped or as the only file of a zip archive.

    Args:
        path: a table with a column `label` (1/0, positive/negative, ...) and a column `text`, `review` or `sentence`.

    Returns:
        The rows that have a text and a known label.

    Raises:
        DataError: the file cannot be read, has other columns, or has no such row.
    """
    frame = _parse_table(path)
    text_columns = [name for name in _TEXT_COLUMNS if name in frame.columns]
    if not text_columns or "label" not in frame.columns:
        raise DataError(f"{path.name} needs a column label and one of text, review, sentence.")
    texts = []
    is_positive = []
    columns = frame.select(text_columns[0], "label")
    for text, label in columns.iter_rows():
        normalized_label = str(label).strip().casefold()
        if not text or normalized_label not in _LABELS:
            continue
        texts.append(text)
        is_positive.append(normalized_label in _POSITIVE)
    if not texts:
        raise DataError(f"{path.name} holds no text with a label that says positive or negative.")
    return build_labelled_texts(texts, is_positive)


def build_labelled_texts(
    texts: Sequence[str],
    is_positive: Sequence[bool],
    descriptions: Sequence[str] = (),
) -> LabelledTexts:
    """Builds `LabelledTexts` from parallel lists."""
    return LabelledTexts(tuple(texts), np.array(is_positive, np.bool_), tuple(descriptions))


def _parse_table(path: Path) -> pl.DataFrame:
    """All columns as strings."""
    is_tsv = ".tsv" in path.name.lower()
    content = read_file_content(path)
    try:
        return pl.read_csv(
            io.BytesIO(content),
            separator="\t" if is_tsv else ",",
            quote_char=None if is_tsv else '"',
            infer_schema=False,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path.name} is not a table that can be read.") from error


def read_file_content(path: Path) -> bytes:
    """Returns the uncompressed content of a file, of a .gz file, or of the only entry of a .zip file.

    Raises:
        DataError: the file cannot be read or has more than MAX_BYTES uncompressed bytes.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                # One byte beyond the limit is enough to detect a file that is too large.
                content = file.read(MAX_BYTES + 1)
        elif path.suffix == ".zip":
            with open_zip(path) as archive:
                names = archive.namelist()
                content = b""
                if len(names) == 1:
                    content = archive.read(names[0])
        else:
            content = path.read_bytes()
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "damaged"
        raise DataError(f"{path} cannot be read: {reason}.") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{path.name} is larger than a gigabyte.")
    return content


def open_zip(path: Path) -> zipfile.ZipFile:
    """Opens a zip archive. Raises DataError."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as a zip file.") from error
