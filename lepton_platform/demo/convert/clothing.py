"""Women's E-Commerce Clothing Reviews: real garments and reviews, simulated visitors.

Titles are Chinese, composed from the garment's class and the most distinctive words of its reviews; the reviews stay
in English. The source has no user ids, times and prices, and none are invented for the reviews.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lepton_platform.demo.convert.chinese import (
    AGE_BANDS,
    CLASSES,
    COLOURS,
    DEPARTMENTS,
    DIVISIONS,
    GARMENT_WORDS,
)
from lepton_platform.demo.convert.simulation import ItemPool, VisitorParameters, simulate_visits
from lepton_platform.demo.convert.tables import DemoTables, as_json, cast_to_schema

FOLDER = "reviews-womens-clothing"
FILE = "WomensClothingE-CommerceReviews.parquet.brotli"
VISITOR_PARAMETERS = VisitorParameters(steps=(("cart", 0.22), ("purchase", 0.4)))


def convert_clothing(source: Path, *, n_visitors: int = 2500, seed: int = 20) -> DemoTables:
    """Garments as items, simulated visitors as profiles; `seed` is for the simulation."""
    raw = _read_reviews(source)
    garments = _aggregate_garments(raw)
    rng = np.random.default_rng(seed)
    # Each visitor takes the class and the age of one real, satisfied reviewer.
    satisfied = raw.filter(pl.col("rating") >= 4)
    anchors = satisfied[rng.integers(0, satisfied.height, size=n_visitors)]
    items = pl.DataFrame([_build_item(row) for row in garments.iter_rows(named=True)])
    item_pool = ItemPool.from_frame(
        garments.select("id", group="class", wider="department", weight=pl.col("reviews").pow(0.75))
    )
    return DemoTables(
        items=cast_to_schema(items, "items"),
        profiles=_build_profiles(anchors),
        events=simulate_visits(
            item_pool,
            anchors["class"].to_list(),
            VISITOR_PARAMETERS,
            prefix="visitor",
            rng=rng,
        ),
        reviews=_build_reviews(raw),
    )


def _read_reviews(source: Path) -> pl.DataFrame:
    frame = pl.read_parquet(source / FILE)
    return frame.select(
        id=pl.format("sku-{}", pl.col("Clothing ID").cast(pl.String).str.zfill(4)),
        age="Age",
        title=pl.col("Title").fill_null(""),
        text=pl.col("Review Text").fill_null(""),
        rating="Rating",
        recommended="Recommended IND",
        division="Division Name",
        department="Department Name",
        **{"class": pl.col("Class Name")},
    ).filter(pl.col("class").is_not_null())


def _aggregate_garments(raw: pl.DataFrame) -> pl.DataFrame:
    """One row a garment, sorted by id; division, department and class are the modes over its reviews."""
    modes = [pl.col(name).mode().sort().first() for name in ("division", "department", "class")]
    return (
        raw.group_by("id")
        .agg(
            *modes,
            reviews=pl.len(),
            rating=pl.col("rating").mean().round(2),
            recommended=pl.col("recommended").mean().round(2),
            words=pl.col("text").str.join(" "),
        )
        .sort("id")
        .pipe(_add_distinctive_words)
    )


def _add_distinctive_words(garments: pl.DataFrame) -> pl.DataFrame:
    """Replaces `words` (all review text) by the Chinese words with the highest tf-idf, best first."""
    counts_by_garment = [_count_words(text) for text in garments["words"].to_list()]
    document_frequency: Counter[str] = Counter()
    for counts in counts_by_garment:
        # Iterating over a Counter yields each word once.
        document_frequency.update(iter(counts))
    class_names = [CLASSES[name] for name in garments["class"].to_list()]
    selected = []
    for counts, class_name in zip(counts_by_garment, class_names, strict=True):
        selected.append(_select_words(counts, document_frequency, len(counts_by_garment), class_name))
    return garments.with_columns(words=pl.Series(selected, dtype=pl.List(pl.String)))


def _count_words(text: str) -> Counter[str]:
    """Occurrences of garment words, by their Chinese translation."""
    words = re.findall(r"[a-z]+", text.lower())
    return Counter(GARMENT_WORDS[word] for word in words if word in GARMENT_WORDS)


def _select_words(
    word_counts: Counter[str],
    document_frequency: Counter[str],
    n_garments: int,
    class_name: str,
) -> list[str]:
    """The at most four words with the highest tf-idf, among them at most one colour."""

    def get_order(word: str) -> tuple[float, str]:
        # Ties are ordered by the word, so that the output does not depend on the order of counting.
        return (-word_counts[word] * math.log(n_garments / document_frequency[word]), word)

    ranked = sorted(word_counts, key=get_order)
    colours = [word for word in ranked if word in COLOURS]
    return [word for word in ranked if word not in class_name and word not in colours[1:]][:4]


def _build_item(row: dict[str, Any]) -> dict[str, Any]:
    name, words = CLASSES[row["class"]], row["words"]
    number, department = row["id"].removeprefix("sku-"), DEPARTMENTS[row["department"]]
    mentioned = ""
    if words:
        mentioned = f"顾客评论常提到：{'、'.join(words)}。"
    return {
        "id": row["id"],
        "title": f"{''.join(words[:2])}{name} {number}",
        "description": f"{department} · {name}，{DIVISIONS[row['division']]}。{mentioned}",
        "categories": [department, name],
        "tags": [*words, DIVISIONS[row["division"]]],
        "language": "zh-hans",
        "attributes": as_json(
            {
                "class": row["class"],
                # The source misspells this division.
                "division": row["division"].replace("Initmates", "Intimates"),
                "mean_rating": row["rating"],
                "recommended_share": row["recommended"],
                "review_count": row["reviews"],
            }
        ),
    }


def _build_profiles(anchors: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {
            "id": f"visitor-{number:04d}",
            "language": "zh-hans",
            "consent": "granted",
            "attributes": as_json({"age_band": _find_age_band(age), "simulated": True}),
        }
        for number, age in enumerate(anchors["age"].to_list(), 1)
    ]
    return cast_to_schema(pl.DataFrame(rows), "profiles")


def _find_age_band(age: int) -> str:
    return next(band for upper, band in AGE_BANDS if age < upper)


def _build_reviews(raw: pl.DataFrame) -> pl.DataFrame:
    written = raw.with_row_index("row").filter(pl.col("text") != "")
    return cast_to_schema(
        written.select(
            "rating",
            "title",
            "text",
            id=pl.format("review-{}", "row"),
            item_id="id",
            language=pl.lit("en"),
        ).sort("item_id", "id"),
        "reviews",
    )
