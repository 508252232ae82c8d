from __future__ import annotations

from datetime import date
from typing import NamedTuple

from tenants.scope import Scope

_DAILY = """
SELECT day, metric, kind, scenario, sum(count)::bigint FROM (
    SELECT day, metric, kind, scenario, count FROM data_counter WHERE tenant_id = %(t)s AND day BETWEEN %(a)s AND %(b)s
    UNION ALL
    SELECT day, metric, kind, scenario, count FROM data_counterdelta WHERE tenant_id = %(t)s AND day BETWEEN %(a)s AND %(b)s
) AS parts GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0 ORDER BY 1, 2, 3, 4
"""


class DailyCount(NamedTuple):
    """Days are UTC. Metrics: events, attributed (events with a recommendation id), requests, served (items).

    An event that was sent again is counted again until its timeline is merged; where it was erased or became too old
    before, it stays counted.
    """

    day: date
    metric: str
    kind: str
    scenario: str
    count: int  # type: ignore[assignment]  # shadows tuple.count, which nobody calls


def list_daily_counts(s: Scope, start_day: date, end_day: date) -> list[DailyCount]:
    """Counts of the days from `since` to `until`, both included; folded and not yet folded ones alike."""
    rows = s.cursor().execute(_DAILY, {"t": s.tenant_id, "a": start_day, "b": end_day})
    return [DailyCount(*row) for row in rows]
