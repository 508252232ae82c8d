from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tenants.data.actions.events import COUNTS
from tenants.scope import Scope

_FOLD = """
WITH gone AS (
    DELETE FROM data_counterdelta WHERE tenant_id = %s AND id <= (
        SELECT max(id) FROM (SELECT id FROM data_counterdelta WHERE tenant_id = %s ORDER BY id LIMIT %s) AS first
    ) RETURNING day, metric, kind, scenario, count
)
INSERT INTO data_counter (tenant_id, day, metric, kind, scenario, count)
SELECT %s, day, metric, kind, scenario, sum(count) FROM gone GROUP BY 2, 3, 4, 5
ON CONFLICT (tenant_id, day, metric, kind, scenario) DO UPDATE SET count = data_counter.count + excluded.count
"""


def fold_counters(s: Scope, *, limit: int = 50_000) -> int:
    """Adds waiting deltas to the daily counters and removes them; returns how many counters were touched."""
    return s.cursor().execute(_FOLD, (s.tenant_id, s.tenant_id, limit, s.tenant_id)).rowcount


def count_served(s: Scope, rows: Sequence[tuple[str, str, str, int]]) -> None:
    """Adds (metric, kind, scenario, count) to today's counters, without a lock on a shared row."""
    today = datetime.now(UTC).date().isoformat()
    metrics, kinds, scenarios, counts = zip(*rows, strict=True)
    columns = ([today] * len(rows), list(metrics), list(kinds), list(scenarios), list(counts))
    s.cursor().execute(COUNTS, (s.tenant_id, *columns))
