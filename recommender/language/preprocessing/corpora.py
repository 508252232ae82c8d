"""Labelled texts from files: the sets that sentiment is learned from and measured on. Texts are as they stand there."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recommender.types import BoolArray, DataError, Int64Array

_PROS_OR_CONS = re.compile(r"<(?:Pros|Cons)>(.*)</(?:Pros|Cons)>")
_POSITIVE = {"1", "positive", "pos", "true", "praise", "+"}
_NEGATIVE = {"0", "-1", "negative", "neg", "false", "blame", "-"}
MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """praise[i] says whether texts[i] praises; about[i] describes what it is about, where the set says so."""

    texts: tuple[str, ...]
    is_positive: BoolArray
    descriptions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Int64Array) -> LabelledTexts:
        about = tuple(self.descriptions[row] for row in rows.tolist()) if self.descriptions else ()
        return LabelledTexts(tuple(self.texts[row] for row in rows.tolist()), self.is_positive[rows], about)

    def __add__(self, other: LabelledTexts) -> LabelledTexts:
        both = (
            self.descriptions + other.descriptions
            if len(self.descriptions) == len(self.texts) and other.descriptions
            else ()
        )
        return LabelledTexts(
            self.texts + other.texts, np.concatenate([self.is_positive, other.is_positive]), both
        )


def split_train_test_rows(
    size: int, *, test_fraction: float = 0.1, seed: int = 0
) -> tuple[Int64Array, Int64Array]:
    """Rows to learn from and rows to measure on, drawn once."""
    order = np.random.default_rng(seed).permutation(size).astype(np.int64)
    cut = round(size * test_fraction)
    return np.sort(order[cut:]), np.sort(order[:cut])


def read_labelled_table(path: Path) -> LabelledTexts:
    """CSV or TSV, plain or .gz or in a .zip alone, with a column `label` (1/0, positive/negative) and one of texts
    (`text`, `review`, `sentence`). Rows without a text or with another label are left out. Raises DataError."""
    content = _read_content(path)
    separator = "\t" if ".tsv" in path.name.lower() else ","
    try:
        frame = pl.read_csv(
            io.BytesIO(content),
            separator=separator,
            quote_char=None if separator == "\t" else '"',
            infer_schema=False,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError as fault:
        raise DataError(f"{path.name} is not a table that can be read.") from fault
    text = next((name for name in ("text", "review", "sentence") if name in frame.columns), None)
    if text is None or "label" not in frame.columns:
        raise DataError(f"{path.name} needs a column label and one of text, review, sentence.")
    rows = [
        (words, str(label).strip().casefold() in _POSITIVE)
        for words, label in zip(frame[text].to_list(), frame["label"].to_list(), strict=True)
        if words and str(label).strip().casefold() in _POSITIVE | _NEGATIVE
    ]
    if not rows:
        raise DataError(f"{path.name} holds no text with a label that says positive or negative.")
    return LabelledTexts(tuple(words for words, _ in rows), np.array([good for _, good in rows], np.bool_))


def read_product_sentences(folder: Path) -> LabelledTexts:
    """Sentences of annotated product reviews whose opinions all point one way."""
    texts, praise = [], []
    for sentence in iter_annotated_sentences(folder):
        signs = {sign for _term, sign in sentence.aspects}
        if len(signs) == 1:
            texts.append(sentence.text)
            praise.append(signs == {1})
    return LabelledTexts(tuple(texts), np.array(praise, np.bool_))


def read_pros_and_cons(folder: Path) -> LabelledTexts:
    texts, praise = [], []
    with _open_zip(folder / "pros_cons.zip") as archive:
        for name, good in (("IntegratedPros", True), ("IntegratedCons", False)):
            for line in archive.read(f"pros_cons/{name}.txt").decode("utf-8", "replace").splitlines():
                if (found := _PROS_OR_CONS.search(line)) and found[1].strip():
                    texts.append(found[1])
                    praise.append(good)
    return LabelledTexts(tuple(texts), np.array(praise, np.bool_))


def read_clothing_reviews(folder: Path) -> LabelledTexts:
    """Four stars and more against two and fewer; what lies between says neither. Described by department and class."""
    frame = _read_parquet(folder / "WomensClothingE-CommerceReviews.parquet.brotli")
    rows = []
    for row in frame.iter_rows(named=True):
        text = f"{row['Title'] or ''}\n{row['Review Text'] or ''}".strip()
        if text and row["Rating"] is not None and row["Rating"] != 3:
            rows.append((text, row["Rating"] >= 4, f"{row['Department Name']} {row['Class Name']}"))
    return _build_labelled_texts(rows)


def read_drug_reviews(folder: Path) -> LabelledTexts:
    """Eight of ten and more against four and fewer. Described by the drug's name and the condition."""
    content = _read_content(folder / "drugLib_all_4143.tsv.gz")
    frame = pl.read_csv(io.BytesIO(content), separator="\t", encoding="utf8-lossy", infer_schema_length=0)
    parts = [name for name in frame.columns if name.endswith("Review")]
    rows = []
    for row in frame.iter_rows(named=True):
        rating = int(row["rating"]) if str(row["rating"]).isdigit() else 6
        text = "\n".join(row[name] for name in parts if row[name])
        if text and (rating >= 8 or rating <= 4):
            rows.append((text, rating >= 8, f"{row['urlDrugName']} for {row['condition']}"))
    return _build_labelled_texts(rows)


def _build_labelled_texts(rows: Sequence[tuple[str, bool, str]]) -> LabelledTexts:
    return LabelledTexts(
        tuple(text for text, _, _ in rows),
        np.array([good for _, good, _ in rows], np.bool_),
        tuple(about for _, _, about in rows),
    )


@dataclass(frozen=True, slots=True)
class AnnotatedSentence:
    """A sentence of a product review; `aspects` are the terms that stand in it, with +1 or -1."""

    product: str
    text: str
    aspects: tuple[tuple[str, int], ...]


_ANNOTATED_TERM = re.compile(r"([^\[\],]+?)\s*\[([+-])\d?\]((?:\[\w+\])*)")


def iter_annotated_sentences(folder: Path) -> Iterator[AnnotatedSentence]:
    """Product reviews of Hu and Liu (2004) and Ding, Liu and Yu (2008); terms that do not stand in their sentence, marked
    [u] or [p], are left out."""
    for name in ("product_reviews_1.zip", "product_reviews_2.zip"):
        with _open_zip(folder / name) as archive:
            for entry in sorted(archive.namelist()):
                if entry.endswith(".txt") and not entry.endswith("README.txt"):
                    content = archive.read(entry).decode("utf-8", "replace")
                    yield from _parse_sentences(Path(entry).stem, content)


def _parse_sentences(product: str, content: str) -> Iterator[AnnotatedSentence]:
    for line in content.splitlines():
        marks, found, text = line.partition("##")
        if found and text.strip() and not line.startswith("*"):
            terms = tuple(
                (term.strip().lower(), 1 if sign == "+" else -1)
                for term, sign, flags in _ANNOTATED_TERM.findall(marks)
                if "[u]" not in flags and "[p]" not in flags
            )
            yield AnnotatedSentence(product, text.strip(), terms)


def _read_content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                content = file.read(MAX_BYTES + 1)
        elif path.suffix == ".zip":
            with _open_zip(path) as archive:
                content = archive.read(archive.namelist()[0]) if len(archive.namelist()) == 1 else b""
        else:
            content = path.read_bytes()
    except (OSError, EOFError) as fault:
        raise DataError(f"{path} cannot be read: {getattr(fault, 'strerror', None) or 'damaged'}.") from fault
    if len(content) > MAX_BYTES:
        raise DataError(f"{path.name} is larger than a gigabyte.")
    return content


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as fault:
        raise DataError(f"{path} cannot be read as a zip file.") from fault


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise DataError(f"{path} cannot be read as Parquet.") from fault
