from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lepton_platform.portal.presenters import statistics
from lepton_platform.portal.presenters.statistics import ReportPeriod
from lepton_platform.portal.tables import escape_formula, format_csv
from tenants.data.queries.counters import DailyCount
from tests.portal.workspace import Workspace, browser

TODAY = datetime.now(UTC).date()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1"])
def test_a_text_that_looks_like_a_formula_is_disarmed(text: str) -> None:
    assert escape_formula(text).startswith("'")


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    assert format_csv(["a", "b"], [[-1.5, None]]) == "a,b\r\n-1.5,\r\n"


def test_the_table_of_days_has_a_row_for_each_day(lively: Workspace) -> None:
    answer = browser(lively.owner).get(lively.page("reports", "csv/"), {"days": "7"})
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0] == "day,requests,items_served,clicks_on_recommendations,view,click,purchase"
    assert [line.split(",")[0] for line in lines[1:]][-1] == TODAY.isoformat()
    assert len(lines) == 8


def test_the_table_of_models_names_the_gates_reason(lively: Workspace) -> None:
    answer = browser(lively.owner).get(lively.page("reports", "csv/"), {"table": "models"})
    text = answer.content.decode("utf-8-sig")
    assert text.splitlines()[0].startswith("version,state,trained_at,ndcg@10")
    assert "Not significantly better than popularity" in text


def test_a_change_is_told_against_the_period_before() -> None:
    period = ReportPeriod(7)
    counts = [
        DailyCount(period.start_date, "requests", "model", "home", 30),
        DailyCount(period.previous_start_date, "requests", "model", "home", 20),
    ]
    stat = statistics.build_count_stat("Requests", statistics.count_requests(counts, period))
    assert (stat.value, stat.delta, stat.tone) == ("30", "+50.0%", "good")


def test_small_groups_are_not_shown_and_zero_is() -> None:
    assert statistics.suppress_small_counts([0, 3, 10, 12], 10) == [0, None, 10, 12]


def test_the_tail_of_kinds_is_one_line() -> None:
    counts = [DailyCount(TODAY, "events", f"kind-{n}", "", 100 - n) for n in range(9)]
    names = [name for name, _course in statistics.count_events_by_kind(counts, ReportPeriod(7), max_kinds=7)]
    assert names == [*(f"kind-{n}" for n in range(7)), "others"]


def test_questions_of_the_portal_count_nowhere() -> None:
    counts = [DailyCount(TODAY, "requests", "model", f"{statistics.PORTAL_SCENARIO_PREFIX}home", 5)]
    assert statistics.count_requests(counts, ReportPeriod(7)).total == 0
