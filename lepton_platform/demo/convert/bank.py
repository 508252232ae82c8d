"""Bank Marketing: real customers, campaign calls, loans held and whether the term deposit was subscribed.

Simulated and marked as such: the investment products, views of them and the customers' risk classes, because the
campaign sold one product only. Dropped: marital state and credit default (sensitive), call length (known only after
the call) and economic indicators. The sample is every fifth customer of May to August 2008: a finance tenant keeps
events for half a year.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lepton_platform.demo.convert.products import (
    BANK_PRODUCTS,
    CALL_ITEMS,
    HOUSING_LOAN,
    PERSONAL_LOAN,
    RISK_DESCRIPTIONS,
    TERM_DEPOSIT,
    BankProduct,
)
from lepton_platform.demo.convert.tables import DemoTables, as_json, cast_to_schema

FOLDER = "finance-bank-marketing"
SAMPLE_EVERY = 5
EVENTS_BEFORE = datetime(2008, 9, 1, tzinfo=UTC)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
FIRST_YEAR = 2008
AGE_BANDS = ((30, "18-29"), (40, "30-39"), (50, "40-49"), (60, "50-59"), (200, "60+"))
RISK_SEEKING_JOBS = {
    "management": 1.0,
    "entrepreneur": 1.0,
    "self-employed": 0.6,
    "student": 0.6,
    "technician": 0.3,
}
RISK_AVERSE_JOBS = {"retired": 1.2, "unemployed": 0.8, "housemaid": 0.6}


def convert_bank(source: Path, *, seed: int = 21) -> DemoTables:
    """Products as items, customers as profiles; `seed` is for the simulated part."""
    raw = pl.read_csv(source / "bank-additional-full.csv.gz", separator=";", infer_schema_length=None)
    call_times = _infer_call_times(raw["month"].to_list(), raw["day_of_week"].to_list())
    called = raw.with_row_index("row").with_columns(at=pl.Series(call_times))
    customers = (
        called.filter(pl.col("at") < EVENTS_BEFORE)
        .gather_every(SAMPLE_EVERY)
        .with_columns(name=pl.format("customer-{}", "row"))
    )
    rng = np.random.default_rng(seed)
    profiles, events = [], []
    for row in customers.iter_rows(named=True):
        risk = _draw_risk_class(row, rng)
        profiles.append(_build_profile(row, risk, days_ago=int(rng.integers(10, 500))))
        events += _build_recorded_events(row) + _simulate_views(row, risk, rng)
    frame = pl.DataFrame(events, infer_schema_length=None).with_columns(
        id=pl.format("{}:{}:{}", "profile_id", "kind", pl.int_range(pl.len()).over("profile_id"))
    )
    items = pl.DataFrame([_build_item(product) for product in BANK_PRODUCTS])
    return DemoTables(
        items=cast_to_schema(items, "items"),
        profiles=cast_to_schema(pl.DataFrame(profiles), "profiles").sort("id"),
        events=cast_to_schema(frame, "events").sort("profile_id", "at", "id"),
    )


def _infer_call_times(months: list[str], weekdays: list[str]) -> list[datetime]:
    """The earliest possible dates: the source has month and weekday only, ordered by date from May 2008."""
    times = []
    day = datetime(FIRST_YEAR, MONTHS.index(months[0]) + 1, 1, 10, tzinfo=UTC)
    for month_name, weekday_name in zip(months, weekdays, strict=True):
        month, weekday = MONTHS.index(month_name) + 1, WEEKDAYS.index(weekday_name)
        if day.month != month:
            day = day.replace(year=day.year + (month < day.month), month=month, day=1)
        following = day + timedelta(days=(weekday - day.weekday()) % 7)
        # Some months have more week changes than weeks, so their rows are not in order: stay in the last week.
        day = following if following.month == month else following - timedelta(days=7)
        times.append(day)
    return times


def _build_item(product: BankProduct) -> dict[str, Any]:
    return {
        "id": product.id,
        "title": product.title,
        "description": RISK_DESCRIPTIONS[product.risk],
        "categories": [product.category],
        "tags": [f"R{product.risk}"],
        "language": "en",
        "attributes": as_json(
            {
                "risk": f"R{product.risk}",
                "risk_level": product.risk,
                "complex": product.is_complex,
                "simulated": not product.is_recorded,
            }
        ),
    }


def _draw_risk_class(row: dict[str, Any], rng: np.random.Generator) -> int:
    """1 (averse) to 5 (seeking): normally distributed around a mean that depends on job and age."""
    job_offset = RISK_SEEKING_JOBS.get(row["job"], 0.0) - RISK_AVERSE_JOBS.get(row["job"], 0.0)
    offset = job_offset - (row["age"] - 40) / 40
    return int(np.clip(round(rng.normal(3 + offset, 0.8)), 1, 5))


def _build_profile(row: dict[str, Any], risk: int, *, days_ago: int) -> dict[str, Any]:
    return {
        "id": row["name"],
        "language": "en",
        "consent": "granted",
        "attributes": as_json(
            {
                "age_band": next(band for below, band in AGE_BANDS if row["age"] < below),
                "occupation": row["job"],
                "education": row["education"],
                "risk_class": f"C{risk}",
                "risk_assessed_days_ago": days_ago,
                "risk_class_simulated": True,
            }
        ),
    }


def _build_recorded_events(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The recorded facts: the call by channel, the offer, the loans held and the deposit if subscribed."""
    # Item, kind, minutes after the call, value.
    facts = [
        (CALL_ITEMS[row["contact"]], "contact", 0, float(row["campaign"])),
        (TERM_DEPOSIT, "impression", 1, None),
    ]
    if row["housing"] == "yes":
        facts.append((HOUSING_LOAN, "hold", -2, None))
    if row["loan"] == "yes":
        facts.append((PERSONAL_LOAN, "hold", -1, None))
    if row["y"] == "yes":
        facts.append((TERM_DEPOSIT, "subscribe", 5, None))
    events = []
    for item, kind, minutes, value in facts:
        event = {
            "profile_id": row["name"],
            "item_id": item,
            "kind": kind,
            "at": row["at"] + timedelta(minutes=minutes),
            "value": value,
            "scenario": "recorded",
        }
        events.append(event)
    return events


def _simulate_views(row: dict[str, Any], risk: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Views of invented products in the weeks before the call, most of them near the simulated risk class."""
    invented = [product for product in BANK_PRODUCTS if not product.is_recorded]
    product_risks = np.array([product.risk for product in invented])
    weights = np.exp(-np.abs(product_risks - risk))
    count = min(int(rng.poisson(2.5)), len(invented))
    chosen = rng.choice(len(invented), size=count, replace=False, p=weights / weights.sum())
    events = []
    for index in chosen:
        # Between an hour and 45 days before the call.
        minutes = int(rng.integers(60, 60 * 24 * 45))
        event = {
            "profile_id": row["name"],
            "item_id": invented[index].id,
            "kind": "view",
            "at": row["at"] - timedelta(minutes=minutes),
            "value": None,
            "scenario": "simulated",
        }
        events.append(event)
    return events
