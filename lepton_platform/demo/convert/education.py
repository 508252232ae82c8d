"""Open University Learning Analytics: real students, assessments and submissions.

Dropped: disability, gender and deprivation band (denied as features for education), the final result (known only
afterwards), and banked submissions (results transferred from an earlier presentation).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from lepton_platform.demo.convert.tables import DemoTables, as_json, cast_to_schema

FOLDER = "education-oulad"
# The published presentation codes: B starts in February, J in October. The day of the month is not published.
START_MONTH = {"B": 2, "J": 10}


def convert_education(source: Path) -> DemoTables:
    """Courses and assessments as items, students as profiles, enrolments and submissions as events."""
    assessments = _read_assessments(source)
    courses = _read_courses(source)
    enrolments = pl.read_csv(source / "studentInfo.csv.gz")
    submissions = pl.read_csv(source / "studentAssessment.csv.gz")
    return DemoTables(
        items=_build_items(courses, assessments),
        profiles=_build_profiles(enrolments),
        events=_build_events(submissions, enrolments, assessments),
    )


def _add_start(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `start` (the presentation's first day) and `course` (module and presentation)."""
    presentation = pl.col("code_presentation")
    return frame.with_columns(
        start=pl.datetime(
            presentation.str.slice(0, 4).cast(pl.Int32),
            presentation.str.slice(4, 1).replace_strict(START_MONTH, return_dtype=pl.Int8),
            1,
            time_zone="UTC",
        ).cast(pl.Datetime("ms", "UTC")),
        course=pl.format("{}-{}", "code_module", presentation),
    )


def _read_courses(source: Path) -> pl.DataFrame:
    return _add_start(pl.read_csv(source / "courses.csv")).sort("course")


def _read_assessments(source: Path) -> pl.DataFrame:
    """Adds `number` (within course and type) and `step` (within the course), both by due day; exams come last."""
    frame = _add_start(pl.read_csv(source / "assessments.csv", schema_overrides={"date": pl.String}))
    lengths = pl.read_csv(source / "courses.csv")
    frame = frame.join(lengths, on=["code_module", "code_presentation"]).with_columns(
        due=pl.coalesce(pl.col("date").cast(pl.Int32, strict=False), pl.col("module_presentation_length")),
        exam=pl.col("assessment_type") == "Exam",
    )
    frame = frame.sort("course", "exam", "due", "id_assessment").with_columns(
        number=pl.int_range(1, pl.len() + 1).over("course", "assessment_type"),
        kinds=pl.len().over("course", "assessment_type"),
        step=pl.int_range(1, pl.len() + 1).over("course"),
    )
    return frame.with_columns(
        item=pl.when(pl.col("exam") & (pl.col("kinds") == 1))
        .then(pl.format("{}-Exam", "course"))
        .otherwise(pl.format("{}-{}{}", "course", "assessment_type", "number"))
    )


def _build_items(courses: pl.DataFrame, assessments: pl.DataFrame) -> pl.DataFrame:
    rows = [_build_course_item(row) for row in courses.iter_rows(named=True)]
    rows += [_build_assessment_item(row) for row in assessments.iter_rows(named=True)]
    return cast_to_schema(pl.DataFrame(rows), "items")


def _build_course_item(row: dict[str, Any]) -> dict[str, Any]:
    module, presentation = row["code_module"], row["code_presentation"]
    days = row["module_presentation_length"]
    return {
        "id": row["course"],
        "title": f"{module} {presentation} · Course",
        "description": f"Module {module}, presentation {presentation}, {days} days.",
        "categories": [module, "Course"],
        "tags": [presentation],
        "language": "en",
        "attributes": as_json(
            {
                "module": module,
                "presentation": presentation,
                "course": row["course"],
                "type": "Course",
                "length_days": days,
            }
        ),
    }


def _build_assessment_item(row: dict[str, Any]) -> dict[str, Any]:
    module, presentation, kind = row["code_module"], row["code_presentation"], row["assessment_type"]
    name = kind if row["exam"] and row["kinds"] == 1 else f"{kind} {row['number']}"
    return {
        "id": row["item"],
        "title": f"{module} {presentation} · {name} (day {row['due']})",
        "description": f"{_KIND_NAMES[kind]}, {row['weight']:g}% of its part of the mark.",
        "categories": [module, kind],
        "tags": [presentation],
        "language": "en",
        "attributes": as_json(
            {
                "module": module,
                "presentation": presentation,
                "course": row["course"],
                "type": kind,
                "number": row["number"],
                "step": row["step"],
                "due_day": row["due"],
                "weight": row["weight"],
            }
        ),
    }


_KIND_NAMES = {
    "TMA": "Tutor-marked assignment",
    "CMA": "Computer-marked assignment",
    "Exam": "Final examination",
}


def _build_profiles(enrolments: pl.DataFrame) -> pl.DataFrame:
    """Attributes at a student's latest enrolment."""
    latest = (
        _add_start(enrolments)
        .sort("id_student", "start", "course")
        .unique("id_student", keep="last", maintain_order=True)
    )
    rows = [
        {
            "id": f"student-{row['id_student']}",
            "language": "en",
            "consent": "granted",
            "attributes": as_json(
                {
                    "home_region": row["region"],
                    "age_band": row["age_band"],
                    "education": row["highest_education"],
                    "credits": row["studied_credits"],
                    "previous_attempts": row["num_of_prev_attempts"],
                }
            ),
        }
        for row in latest.iter_rows(named=True)
    ]
    return cast_to_schema(pl.DataFrame(rows), "profiles")


def _build_events(
    submissions: pl.DataFrame, enrolments: pl.DataFrame, assessments: pl.DataFrame
) -> pl.DataFrame:
    # Only the day of a submission is published.
    noon = pl.duration(hours=12)
    handed_in = (
        submissions.filter(pl.col("is_banked") == 0)
        .join(assessments.select("id_assessment", "item", "course", "start", "step"), on="id_assessment")
        .with_columns(
            at=pl.col("start") + pl.duration(days="date_submitted") + noon,
            kind=pl.lit("submit"),
            value=pl.col("score"),
        )
    )
    enrolled = _build_enrolment_events(enrolments, handed_in)
    # diagonal_relaxed fills columns that one of the frames lacks with null.
    events = pl.concat([handed_in, enrolled], how="diagonal_relaxed").with_columns(
        id=pl.format("{}:{}", "id_student", "item"), profile_id=pl.format("student-{}", "id_student")
    )
    return cast_to_schema(
        events.sort("profile_id", "at", "step").rename({"item": "item_id"}),
        "events",
    )


def _build_enrolment_events(enrolments: pl.DataFrame, submissions: pl.DataFrame) -> pl.DataFrame:
    """One hour before the course start or the first submission, whichever is earlier: the true day is not published."""
    first_submissions = submissions.group_by("id_student", "course").agg(first=pl.col("at").min())
    return (
        _add_start(enrolments)
        .join(first_submissions, on=["id_student", "course"], how="left")
        .select(
            "id_student",
            item=pl.col("course"),
            at=pl.min_horizontal("start", "first") - pl.duration(hours=1),
            kind=pl.lit("enrol"),
            step=pl.lit(0, dtype=pl.Int64),
        )
    )
