"""Readers of public review data sets, which train the distributed classifiers and evaluate aspect extraction."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    build_labelled_texts,
    open_zip,
    read_file_content,
)
from recommender.types import DataError

_PROS_OR_CONS = re.compile(r"<(?:Pros|Cons)>(.*)</(?:Pros|Cons)>")
# "battery life[+2][u]": term, sign with optional strength, flags.
_ANNOTATED_TERM = re.compile(r"([^\[\],]+?)\s*\[([+-])\d?\]((?:\[\w+\])*)")


@dataclass(frozen=True, slots=True)
class AnnotatedSentence:
    """A sentence of a product review with annotated aspect terms: pairs of term and polarity (+1 or -1)."""

    product: str
    text: str
    aspects: tuple[tuple[str, int], ...]


def iter_annotated_sentences(folder: Path) -> Iterator[AnnotatedSentence]:
    """Yields the sentences of the product reviews of Hu and Liu (2004) and Ding, Liu and Yu (2008).

    Terms that do not occur in their sentence (flags [u] and [p]) are dropped. Raises DataError."""
    for name in ("product_reviews_1.zip", "product_reviews_2.zip"):
        with open_zip(folder / name) as archive:
            for entry in sorted(archive.namelist()):
                if not entry.endswith(".txt") or entry.endswith("README.txt"):
                    continue
                content = _read_zip_text(archive, entry)
                product = Path(entry).stem
                yield from _parse_sentences(product, content)


def _parse_sentences(product: str, content: str) -> Iterator[AnnotatedSentence]:
    """Lines are `annotations##sentence`; titles have no ##, remarks begin with *."""
    for line in content.splitlines():
        annotations, separator, text = line.partition("##")
        if not separator or not text.strip() or line.startswith("*"):
            continue
        terms = []
        for term, sign, flags in _ANNOTATED_TERM.findall(annotations):
            if "[u]" in flags or "[p]" in flags:
                continue
            polarity = 1 if sign == "+" else -1
            terms.append((term.strip().lower(), polarity))
        yield AnnotatedSentence(product, text.strip(), tuple(terms))


def read_product_sentences(folder: Path) -> LabelledTexts:
    """Reads the annotated sentences whose aspect terms all have the same polarity. Raises DataError."""
    texts, is_positive = [], []
    for sentence in iter_annotated_sentences(folder):
        signs = {sign for _term, sign in sentence.aspects}
        if len(signs) == 1:
            texts.append(sentence.text)
            is_positive.append(signs == {1})
    return build_labelled_texts(texts, is_positive)


def read_pros_and_cons(folder: Path) -> LabelledTexts:
    """Reads the pros and cons of Ganapathibhotla and Liu (2008). Raises DataError."""
    texts, is_positive = [], []
    with open_zip(folder / "pros_cons.zip") as archive:
        for name, label in (
            ("IntegratedPros", True),
            ("IntegratedCons", False),
        ):
            content = _read_zip_text(archive, f"pros_cons/{name}.txt")
            for line in content.splitlines():
                match = _PROS_OR_CONS.search(line)
                if match and match[1].strip():
                    texts.append(match[1])
                    is_positive.append(label)
    return build_labelled_texts(texts, is_positive)


def read_clothing_reviews(folder: Path) -> LabelledTexts:
    """Reads the Women's E-Commerce Clothing Reviews: positive from 4 stars, negative up to 2; 3 stars are dropped.

    The description is department and class. Raises DataError."""
    frame = _read_parquet(folder / "WomensClothingE-CommerceReviews.parquet.brotli")
    texts, is_positive, descriptions = [], [], []
    for row in frame.iter_rows(named=True):
        title = row["Title"] or ""
        body = row["Review Text"] or ""
        text = f"{title}\n{body}".strip()
        rating = row["Rating"]
        if not text or rating is None or rating == 3:
            continue
        texts.append(text)
        is_positive.append(rating >= 4)
        descriptions.append(f"{row['Department Name']} {row['Class Name']}")
    return build_labelled_texts(texts, is_positive, descriptions)


def read_drug_reviews(folder: Path) -> LabelledTexts:
    """Reads the Druglib.com reviews: positive from 8 of 10, negative up to 4; ratings between are dropped.

    The description is drug name and condition. Raises DataError."""
    content = read_file_content(folder / "drugLib_all_4143.tsv.gz")
    frame = pl.read_csv(
        io.BytesIO(content),
        separator="\t",
        encoding="utf8-lossy",
        infer_schema_length=0,
    )
    review_columns = [name for name in frame.columns if name.endswith("Review")]
    texts, is_positive, descriptions = [], [], []
    for row in frame.iter_rows(named=True):
        text = "\n".join(row[name] for name in review_columns if row[name])
        rating = str(row["rating"])
        if not text or not rating.isdigit() or 4 < int(rating) < 8:
            continue
        texts.append(text)
        is_positive.append(int(rating) >= 8)
        descriptions.append(f"{row['urlDrugName']} for {row['condition']}")
    return build_labelled_texts(texts, is_positive, descriptions)


def _read_zip_text(archive: zipfile.ZipFile, entry: str) -> str:
    # Invalid bytes are replaced: a single one must not make a data set unreadable.
    return archive.read(entry).decode("utf-8", "replace")


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read as Parquet.") from error
