from __future__ import annotations

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

# (tenant, kind, scenario, served): one request and the items it was answered with, added to today's counters
# without a lock on a shared row; for a caller that sends it within its own statement.
INSERT_SERVED = """
INSERT INTO data_counterdelta (tenant_id, id, day, metric, kind, scenario, count)
SELECT %s, nextval('data_counterdelta_id'), (now() AT TIME ZONE 'UTC')::date, metric, %s, %s, count
FROM (VALUES ('requests', 1), ('served', %s::int)) AS counted (metric, count) WHERE count > 0
"""


def fold_counters(s: Scope, *, limit: int = 50_000) -> int:
    """Adds waiting deltas to the daily counters and removes them; returns how many counters were touched."""
    return s.cursor().execute(_FOLD, (s.tenant_id, s.tenant_id, limit, s.tenant_id)).rowcount
