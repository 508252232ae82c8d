"""Women's E-Commerce Clothing Reviews: real garments and reviews, simulated visitors.

Titles are Chinese, put together by table from the class and from what reviewers mention most tellingly; the
reviews stay in English as written. The source has no user ids, no times and no prices; none are made up for
the reviews.
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
    raw = _read_reviews(source)
    garments = _aggregate_garments(raw)
    rng = np.random.default_rng(seed)
    # Each visitor takes the class and the age of one real, satisfied reviewer.
    pleased = raw.filter(pl.col("rating") >= 4)
    anchors = pleased[rng.integers(0, pleased.height, size=n_visitors)]
    shelf = ItemPool.from_frame(
        garments.select("id", group="class", wider="department", weight=pl.col("reviews").pow(0.75))
    )
    return DemoTables(
        items=cast_to_schema(
            pl.DataFrame([_build_item(row) for row in garments.iter_rows(named=True)]), "items"
        ),
        profiles=_build_profiles(anchors),
        events=simulate_visits(
            shelf, anchors["class"].to_list(), VISITOR_PARAMETERS, prefix="visitor", rng=rng
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
    """One row a garment, sorted by id; its class is the one most of its reviews state."""
    most = [pl.col(name).mode().sort().first() for name in ("division", "department", "class")]
    return (
        raw.group_by("id")
        .agg(
            *most,
            reviews=pl.len(),
            rating=pl.col("rating").mean().round(2),
            recommended=pl.col("recommended").mean().round(2),
            words=pl.col("text").str.join(" "),
        )
        .sort("id")
        .pipe(_add_distinctive_words)
    )


def _add_distinctive_words(garments: pl.DataFrame) -> pl.DataFrame:
    """`words`: Chinese words that reviewers of this garment use more than reviewers of others, best first."""
    counts = [
        Counter(GARMENT_WORDS[w] for w in re.findall(r"[a-z]+", text.lower()) if w in GARMENT_WORDS)
        for text in garments["words"].to_list()
    ]
    spread = Counter(word for count in counts for word in count)
    names = garments["class"].to_list()
    told = [
        _select_words(count, spread, len(counts), CLASSES[name])
        for count, name in zip(counts, names, strict=True)
    ]
    return garments.with_columns(words=pl.Series(told, dtype=pl.List(pl.String)))


def _select_words(
    word_counts: Counter[str], document_frequency: Counter[str], n_garments: int, class_name: str
) -> list[str]:
    """At most four, of one colour."""
    ranked = sorted(
        word_counts,
        key=lambda word: (-word_counts[word] * math.log(n_garments / document_frequency[word]), word),
    )
    colours = [word for word in ranked if word in COLOURS]
    return [word for word in ranked if word not in class_name and word not in colours[1:]][:4]


def _build_item(row: dict[str, Any]) -> dict[str, Any]:
    name, words = CLASSES[row["class"]], row["words"]
    number, department = row["id"].removeprefix("sku-"), DEPARTMENTS[row["department"]]
    described = f"顾客评论常提到：{'、'.join(words)}。" if words else ""
    return {
        "id": row["id"],
        "title": f"{''.join(words[:2])}{name} {number}",
        "description": f"{department} · {name}，{DIVISIONS[row['division']]}。{described}",
        "categories": [department, name],
        "tags": [*words, DIVISIONS[row["division"]]],
        "language": "zh-hans",
        "attributes": as_json(
            {
                "class": row["class"],
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
    return next(band for below, band in AGE_BANDS if age < below)


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
