"""Open Bandit logs: real impressions and clicks of a fashion shop's recommendations, a week in November 2019.

The logs contain no user ids. Impressions with the same four hashed user features form one anonymous segment, which
becomes a profile; the features themselves are no attributes, because their meaning is not published. The `value` of
an impression is the probability with which the logging policy showed it (propensity score).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl

from lepton_platform.demo.convert.tables import DemoTables, as_json, cast_to_schema

FOLDER = "bandit-open-bandit-dataset"
CAMPAIGNS = {"all": "mixed campaign", "men": "men's campaign", "women": "women's campaign"}
POLICIES = {"bts": "Thompson sampling", "random": "random"}
USER_FEATURES = [f"user_feature_{number}" for number in range(4)]
GROUP_FEATURES = ("item_feature_1", "item_feature_2", "item_feature_3")


def convert_ads(source: Path) -> DemoTables:
    """Items of three campaigns, segments as profiles, impressions and clicks as events."""
    logs, items = [], []
    for campaign in CAMPAIGNS:
        logs += [_read_log(source, policy, campaign) for policy in POLICIES]
        items += _build_items(source, campaign)
    log = pl.concat(logs)
    segments = log.select("profile_id").unique().sort("profile_id")
    profiles = segments.select(
        id="profile_id", consent=pl.lit("granted"), attributes=pl.lit(as_json({"anonymous_segment": True}))
    )
    return DemoTables(
        items=cast_to_schema(pl.DataFrame(items), "items"),
        profiles=cast_to_schema(profiles, "profiles"),
        events=_build_events(log),
    )


def _read_log(source: Path, policy: str, campaign: str) -> pl.DataFrame:
    raw = pl.read_csv(source / f"{policy}_{campaign}_{campaign}.csv.gz")
    segments = raw.select(USER_FEATURES).unique().sort(USER_FEATURES)
    segment_ids = [_hash_segment(row) for row in segments.iter_rows()]
    segments = segments.with_columns(profile_id=pl.Series(segment_ids, dtype=pl.String))
    campaign_name, policy_name = pl.lit(campaign), pl.lit(policy)
    item_number = pl.col("item_id").cast(pl.String).str.zfill(2)
    time = pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_zone="UTC")
    row_number = pl.int_range(pl.len())
    return raw.join(segments, on=USER_FEATURES, maintain_order="left").select(
        "profile_id",
        "click",
        item_id=pl.format("{}-{}", campaign_name, item_number),
        at=time.dt.cast_time_unit("ms"),
        value="propensity_score",
        scenario=pl.format("{}.{}.position-{}", campaign_name, policy_name, "position"),
        row=pl.format("{}-{}-{}", campaign_name, policy_name, row_number),
    )


def _hash_segment(features: tuple[str, ...]) -> str:
    digest = hashlib.sha256("|".join(features).encode()).hexdigest()
    return f"segment-{digest[:10]}"


def _build_items(source: Path, campaign: str) -> list[dict[str, Any]]:
    """Replaces the hashed groups of the source by letters, in order of first appearance."""
    context = pl.read_csv(source / f"bts_{campaign}_item_context.csv.gz").sort("item_id")
    for column in GROUP_FEATURES:
        letters = _assign_letters(context[column].to_list())
        context = context.with_columns(pl.Series(column, letters))
    return [_build_item(campaign, row) for row in context.iter_rows(named=True)]


def _build_item(campaign: str, row: dict[str, Any]) -> dict[str, Any]:
    number = f"{int(row['item_id']):02d}"
    campaign_name = CAMPAIGNS[campaign]
    group, second, third = (row[column] for column in GROUP_FEATURES)
    attributes = {
        "campaign": campaign,
        "measure": round(row["item_feature_0"], 4),
        "sponsored": True,
    }
    return {
        "id": f"{campaign}-{number}",
        "title": f"Fashion item {number} ({campaign_name}, group {group})",
        "description": f"An anonymised garment of the {campaign_name}.",
        "categories": [campaign_name.capitalize(), f"{campaign}: group {group}"],
        "tags": [f"{campaign}-second-{second}", f"{campaign}-third-{third}"],
        "language": "en",
        "attributes": as_json(attributes),
    }


def _assign_letters(hashes: list[str]) -> list[str]:
    letters: dict[str, str] = {}
    for value in hashes:
        if value not in letters:
            letters[value] = chr(ord("A") + len(letters))
    return [letters[value] for value in hashes]


def _build_events(log: pl.DataFrame) -> pl.DataFrame:
    shown = log.with_columns(kind=pl.lit("impression"), id=pl.format("i-{}", "row"))
    # The log records that an impression was clicked, not when: one second later keeps the order.
    clicked = log.filter(pl.col("click") == 1).with_columns(
        kind=pl.lit("click"),
        id=pl.format("c-{}", "row"),
        at=pl.col("at") + pl.duration(seconds=1),
        value=pl.lit(None, dtype=pl.Float64),
    )
    events = pl.concat([shown, clicked], how="diagonal_relaxed")
    return cast_to_schema(events.sort("profile_id", "at", "id"), "events")
