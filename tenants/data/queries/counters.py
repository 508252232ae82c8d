"""Queries on the daily counters."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from tenants.scope import Scope

_DAILY = """
SELECT day, metric, kind, scenario, sum(count)::bigint FROM (
    SELECT day, metric, kind, scenario, count FROM data_counter
    WHERE tenant_id = %(tenant)s AND day BETWEEN %(start)s AND %(end)s
    UNION ALL
    SELECT day, metric, kind, scenario, count FROM data_counterdelta
    WHERE tenant_id = %(tenant)s AND day BETWEEN %(start)s AND %(end)s
) AS parts GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0 ORDER BY 1, 2, 3, 4
"""


class DailyCount(NamedTuple):
    """The count of one metric on a UTC day.

    Metrics are "events", "attributed" (events with a recommendation id), "requests" and "served" (items). `kind` is the
    event kind, or the stage of a request. A repeated event is counted twice until its timeline is merged, and for ever
    if its profile was erased or it passed the retention period before.
    """

    day: date
    metric: str
    kind: str
    scenario: str
    count: int  # type: ignore[assignment]  # shadows tuple.count, which is not used


def list_daily_counts(s: Scope, start_day: date, end_day: date) -> list[DailyCount]:
    """Returns the counts from `start_day` to `end_day`, inclusive, including deltas that are not folded yet."""
    parameters = {"tenant": s.tenant_id, "start": start_day, "end": end_day}
    return [DailyCount(*row) for row in s.cursor().execute(_DAILY, parameters)]
