"""Drug reviews (Druglib.com): real drugs, conditions and reviews; the readers are simulated.

Conditions are free text and are assigned to areas by `conditions.find_area`. Drugs reviewed mostly for psychiatric,
reproductive or sexual conditions or HIV are dropped with their reviews: such areas are denied as features of a
medical tenant, and a category is a feature. Information only; nothing here is medical advice.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lepton_platform.demo.convert.conditions import EXCLUDED, find_area
from lepton_platform.demo.convert.simulation import ItemPool, VisitorParameters, simulate_visits
from lepton_platform.demo.convert.tables import DemoTables, as_json, cast_to_schema

FOLDER = "medical-druglib-reviews"
# Shorter than the 30 days for which a medical tenant keeps events.
READER_PARAMETERS = VisitorParameters(steps=(("bookmark", 0.15),), mean_views=7.0, period=timedelta(days=20))


def convert_drugs(source: Path, *, n_readers: int = 1000, seed: int = 22) -> DemoTables:
    """Drugs as items, simulated readers as profiles; `seed` is for the simulation."""
    raw = _read_reviews(source)
    is_allowed = ~pl.col("area").is_in(list(EXCLUDED))
    drugs = _aggregate_drugs(raw).filter(is_allowed)
    # A review of an allowed drug may still be about an excluded condition.
    reviews = raw.join(drugs.select("drug"), on="drug", maintain_order="left").filter(is_allowed)
    rng = np.random.default_rng(seed)
    areas = drugs.select("drug", home="area")
    interests = reviews.join(areas, on="drug", maintain_order="left")["home"].to_list()
    favourites = [interests[index] for index in rng.integers(0, len(interests), size=n_readers)]
    items = pl.DataFrame([_build_item(row) for row in drugs.iter_rows(named=True)])
    item_pool = ItemPool.from_frame(
        drugs.select(id="drug", group="area", wider=pl.lit("all"), weight=pl.col("reviews").pow(0.75))
    )
    return DemoTables(
        items=cast_to_schema(items, "items"),
        profiles=_build_profiles(n_readers),
        events=simulate_visits(item_pool, favourites, READER_PARAMETERS, prefix="reader", rng=rng),
        reviews=_build_reviews(reviews),
    )


def _read_reviews(source: Path) -> pl.DataFrame:
    frame = pl.read_csv(
        source / "drugLib_all_4143.tsv.gz",
        separator="\t",
        quote_char='"',
        infer_schema_length=None,
    )
    return frame.select(
        drug="urlDrugName",
        rating=pl.col("rating").cast(pl.Int32),
        effectiveness="effectiveness",
        side_effects="sideEffects",
        condition=pl.col("condition").fill_null("").str.to_lowercase().str.strip_chars(),
        benefits=pl.col("benefitsReview").fill_null(""),
        harms=pl.col("sideEffectsReview").fill_null(""),
        comments=pl.col("commentsReview").fill_null(""),
    ).with_columns(area=pl.col("condition").map_elements(find_area, return_dtype=pl.String))


def _aggregate_drugs(raw: pl.DataFrame) -> pl.DataFrame:
    """One row a drug, sorted by name; its area is that of most reviews."""
    area_size = (
        raw.group_by("drug", "area")
        .agg(size=pl.len())
        .sort("drug", "size", "area", descending=[False, True, False])
    )
    home = area_size.unique("drug", keep="first", maintain_order=True).select("drug", home="area")
    statistics = raw.group_by("drug").agg(
        reviews=pl.len(),
        rating=(pl.col("rating").mean() / 2).round(2),
        effective=pl.col("effectiveness")
        .is_in(["Highly Effective", "Considerably Effective"])
        .mean()
        .round(2),
        severe=pl.col("side_effects").str.contains("Severe").mean().round(2),
        areas=pl.col("area").unique().sort(),
    )
    return home.join(statistics, on="drug", maintain_order="left").rename({"home": "area"}).sort("drug")


def _build_item(row: dict[str, Any]) -> dict[str, Any]:
    # Only the main area is a category: other areas of the drug may be excluded ones.
    return {
        "id": row["drug"],
        "title": f"{row['drug'].replace('-', ' ').title()} · information",
        "description": f"What {row['reviews']} patients reported. Information only, no medical advice.",
        "categories": [row["area"]],
        "tags": [],
        "language": "en",
        "attributes": as_json(
            {
                "information_only": True,
                "mean_rating": row["rating"],
                "review_count": row["reviews"],
                "effective_share": row["effective"],
                "severe_side_effects_share": row["severe"],
            }
        ),
    }


def _build_profiles(n_readers: int) -> pl.DataFrame:
    """Profiles with simulated consent; the vertical's default keeps recommendations unpersonalised."""
    names = [f"reader-{number:04d}" for number in range(1, n_readers + 1)]
    frame = pl.DataFrame({"id": names}).with_columns(
        attributes=pl.lit(as_json({"simulated": True})), language=pl.lit("en"), consent=pl.lit("granted")
    )
    return cast_to_schema(frame, "profiles")


def _build_reviews(reviews: pl.DataFrame) -> pl.DataFrame:
    return cast_to_schema(
        reviews.select(
            id=pl.format("review-{}", pl.int_range(pl.len())),
            item_id="drug",
            rating=pl.col("rating") / 2,
            title=pl.format("{}, {}", "effectiveness", pl.col("side_effects").str.to_lowercase()),
            text=pl.concat_str(
                [
                    pl.format("Benefits: {}", "benefits"),
                    pl.format("Side effects: {}", "harms"),
                    pl.format("Comments: {}", "comments"),
                ],
                separator="\n",
            ),
            language=pl.lit("en"),
        ).sort("item_id", "id"),
        "reviews",
    )
