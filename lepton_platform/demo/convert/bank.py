"""Bank Marketing: real customers, campaign calls, loans held and whether the term deposit was taken.

Simulated, and marked so: the investment products, the views of them and the customers' risk classes (the
campaign only sold one product). Left out: marital state and credit default, the length of the call (known
only afterwards) and the economic indicators. Kept is every fifth customer of May to August 2008: a finance
tenant keeps events for half a year.
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
    raw = pl.read_csv(source / "bank-additional-full.csv.gz", separator=";", infer_schema_length=None)
    called = raw.with_row_index("row").with_columns(
        at=pl.Series(_infer_call_times(raw["month"].to_list(), raw["day_of_week"].to_list()))
    )
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
    return DemoTables(
        items=cast_to_schema(pl.DataFrame([_build_item(product) for product in BANK_PRODUCTS]), "items"),
        profiles=cast_to_schema(pl.DataFrame(profiles), "profiles").sort("id"),
        events=cast_to_schema(frame, "events").sort("profile_id", "at", "id"),
    )


def _infer_call_times(months: list[str], weekdays: list[str]) -> list[datetime]:
    """The earliest dates that fit: the source states month and weekday, in order of date from May 2008."""
    times = []
    day = datetime(FIRST_YEAR, MONTHS.index(months[0]) + 1, 1, 10, tzinfo=UTC)
    for month_name, weekday_name in zip(months, weekdays, strict=True):
        month, weekday = MONTHS.index(month_name) + 1, WEEKDAYS.index(weekday_name)
        if day.month != month:
            day = day.replace(year=day.year + (month < day.month), month=month, day=1)
        following = day + timedelta(days=(weekday - day.weekday()) % 7)
        # More weeks than the month has: its days are not in order, so stay in the last week that fits.
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
    lean = (
        RISK_SEEKING_JOBS.get(row["job"], 0.0)
        - RISK_AVERSE_JOBS.get(row["job"], 0.0)
        - (row["age"] - 40) / 40
    )
    return int(np.clip(round(rng.normal(3 + lean, 0.8)), 1, 5))


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
    """What the records state: the call by its channel, the offer, the loans held and the deposit if taken."""
    name, at = row["name"], row["at"]
    stated = [
        (CALL_ITEMS[row["contact"]], "contact", 0, float(row["campaign"])),
        (TERM_DEPOSIT, "impression", 1, None),
    ]
    if row["housing"] == "yes":
        stated.append((HOUSING_LOAN, "hold", -2, None))
    if row["loan"] == "yes":
        stated.append((PERSONAL_LOAN, "hold", -1, None))
    if row["y"] == "yes":
        stated.append((TERM_DEPOSIT, "subscribe", 5, None))
    return [
        {
            "profile_id": name,
            "item_id": item,
            "kind": kind,
            "at": at + timedelta(minutes=minutes),
            "value": value,
            "scenario": "recorded",
        }
        for item, kind, minutes, value in stated
    ]


def _simulate_views(row: dict[str, Any], risk: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Looks at invented products, mostly near the simulated risk class, in the weeks before the call."""
    invented = [product for product in BANK_PRODUCTS if not product.is_recorded]
    near = np.exp(-np.abs(np.array([product.risk for product in invented]) - risk))
    count = min(int(rng.poisson(2.5)), len(invented))
    chosen = rng.choice(len(invented), size=count, replace=False, p=near / near.sum())
    return [
        {
            "profile_id": row["name"],
            "item_id": invented[index].id,
            "kind": "view",
            "at": row["at"] - timedelta(minutes=int(rng.integers(60, 60 * 24 * 45))),
            "value": None,
            "scenario": "simulated",
        }
        for index in chosen
    ]
