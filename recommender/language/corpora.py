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

from recommender.types import Bools, DataError, Longs

_PRO = re.compile(r"<(?:Pros|Cons)>(.*)</(?:Pros|Cons)>")
_POSITIVE = {"1", "positive", "pos", "true", "praise", "+"}
_NEGATIVE = {"0", "-1", "negative", "neg", "false", "blame", "-"}
MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Labelled:
    """praise[i] says whether texts[i] praises; about[i] describes what it is about, where the set says so."""

    texts: tuple[str, ...]
    praise: Bools
    about: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Longs) -> Labelled:
        about = tuple(self.about[row] for row in rows.tolist()) if self.about else ()
        return Labelled(tuple(self.texts[row] for row in rows.tolist()), self.praise[rows], about)

    def __add__(self, other: Labelled) -> Labelled:
        both = self.about + other.about if len(self.about) == len(self.texts) and other.about else ()
        return Labelled(self.texts + other.texts, np.concatenate([self.praise, other.praise]), both)


def held_out(size: int, *, share: float = 0.1, seed: int = 0) -> tuple[Longs, Longs]:
    """Rows to learn from and rows to measure on, drawn once."""
    order = np.random.default_rng(seed).permutation(size).astype(np.int64)
    cut = round(size * share)
    return np.sort(order[cut:]), np.sort(order[:cut])


def read_table(path: Path) -> Labelled:
    """CSV or TSV, plain or .gz or in a .zip alone, with a column `label` (1/0, positive/negative) and one of texts
    (`text`, `review`, `sentence`). Rows without a text or with another label are left out. Raises DataError."""
    content = _content(path)
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
    return Labelled(tuple(words for words, _ in rows), np.array([good for _, good in rows], np.bool_))


def product_sentences(folder: Path) -> Labelled:
    """Sentences of annotated product reviews whose opinions all point one way."""
    texts, praise = [], []
    for sentence in annotated(folder):
        signs = {sign for _term, sign in sentence.aspects}
        if len(signs) == 1:
            texts.append(sentence.text)
            praise.append(signs == {1})
    return Labelled(tuple(texts), np.array(praise, np.bool_))


def pros_and_cons(folder: Path) -> Labelled:
    texts, praise = [], []
    with _zip(folder / "pros_cons.zip") as archive:
        for name, good in (("IntegratedPros", True), ("IntegratedCons", False)):
            for line in archive.read(f"pros_cons/{name}.txt").decode("utf-8", "replace").splitlines():
                if (found := _PRO.search(line)) and found[1].strip():
                    texts.append(found[1])
                    praise.append(good)
    return Labelled(tuple(texts), np.array(praise, np.bool_))


def clothing(folder: Path) -> Labelled:
    """Four stars and more against two and fewer; what lies between says neither. Described by department and class."""
    frame = _parquet(folder / "WomensClothingE-CommerceReviews.parquet.brotli")
    rows = []
    for row in frame.iter_rows(named=True):
        text = f"{row['Title'] or ''}\n{row['Review Text'] or ''}".strip()
        if text and row["Rating"] is not None and row["Rating"] != 3:
            rows.append((text, row["Rating"] >= 4, f"{row['Department Name']} {row['Class Name']}"))
    return _labelled(rows)


def drugs(folder: Path) -> Labelled:
    """Eight of ten and more against four and fewer. Described by the drug's name and the condition."""
    content = _content(folder / "drugLib_all_4143.tsv.gz")
    frame = pl.read_csv(io.BytesIO(content), separator="\t", encoding="utf8-lossy", infer_schema_length=0)
    parts = [name for name in frame.columns if name.endswith("Review")]
    rows = []
    for row in frame.iter_rows(named=True):
        rating = int(row["rating"]) if str(row["rating"]).isdigit() else 6
        text = "\n".join(row[name] for name in parts if row[name])
        if text and (rating >= 8 or rating <= 4):
            rows.append((text, rating >= 8, f"{row['urlDrugName']} for {row['condition']}"))
    return _labelled(rows)


def _labelled(rows: Sequence[tuple[str, bool, str]]) -> Labelled:
    return Labelled(
        tuple(text for text, _, _ in rows),
        np.array([good for _, good, _ in rows], np.bool_),
        tuple(about for _, _, about in rows),
    )


@dataclass(frozen=True, slots=True)
class Annotated:
    """A sentence of a product review; `aspects` are the terms that stand in it, with +1 or -1."""

    product: str
    text: str
    aspects: tuple[tuple[str, int], ...]


_TERM = re.compile(r"([^\[\],]+?)\s*\[([+-])\d?\]((?:\[\w+\])*)")


def annotated(folder: Path) -> Iterator[Annotated]:
    """Product reviews of Hu and Liu (2004) and Ding, Liu and Yu (2008); terms that do not stand in their sentence, marked
    [u] or [p], are left out."""
    for name in ("product_reviews_1.zip", "product_reviews_2.zip"):
        with _zip(folder / name) as archive:
            for entry in sorted(archive.namelist()):
                if entry.endswith(".txt") and not entry.endswith("README.txt"):
                    content = archive.read(entry).decode("utf-8", "replace")
                    yield from _sentences(Path(entry).stem, content)


def _sentences(product: str, content: str) -> Iterator[Annotated]:
    for line in content.splitlines():
        marks, found, text = line.partition("##")
        if found and text.strip() and not line.startswith("*"):
            terms = tuple(
                (term.strip().lower(), 1 if sign == "+" else -1)
                for term, sign, flags in _TERM.findall(marks)
                if "[u]" not in flags and "[p]" not in flags
            )
            yield Annotated(product, text.strip(), terms)


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                content = file.read(MOST_BYTES + 1)
        elif path.suffix == ".zip":
            with _zip(path) as archive:
                content = archive.read(archive.namelist()[0]) if len(archive.namelist()) == 1 else b""
        else:
            content = path.read_bytes()
    except (OSError, EOFError) as fault:
        raise DataError(f"{path} cannot be read: {getattr(fault, 'strerror', None) or 'damaged'}.") from fault
    if len(content) > MOST_BYTES:
        raise DataError(f"{path.name} is larger than a gigabyte.")
    return content


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as fault:
        raise DataError(f"{path} cannot be read as a zip file.") from fault


def _parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise DataError(f"{path} cannot be read as Parquet.") from fault
