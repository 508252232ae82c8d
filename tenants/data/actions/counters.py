"""Daily counters: deltas are inserted with the rows they count and folded into the counters by a worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from tenants.scope import Scope

# Deletes the deltas with the lowest ids and adds their sums in one statement, so a crash loses or doubles nothing.
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
# Parameters: CounterRows.to_parameters.
INSERT_COUNTS = """
INSERT INTO data_counterdelta (tenant_id, id, day, metric, kind, scenario, count)
SELECT %s, nextval('data_counterdelta_id'), d::date, m, k, c, n
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int8[]) AS t(d, m, k, c, n)
"""
# Parameters: tenant, stage, scenario, number of returned items. Counts one request and its items as deltas of today,
# without a lock on a shared counter row. The caller embeds it in its own statement.
INSERT_SERVED = """
INSERT INTO data_counterdelta (tenant_id, id, day, metric, kind, scenario, count)
SELECT %s, nextval('data_counterdelta_id'), (now() AT TIME ZONE 'UTC')::date, metric, %s, %s, count
FROM (VALUES ('requests', 1), ('served', %s::int)) AS counted (metric, count) WHERE count > 0
"""


@dataclass(slots=True)
class CounterRows:
    """Rows of data_counterdelta as columns. Days are ISO dates; counts may be negative."""

    days: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    scenarios: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def append(
        self,
        day: str,
        metric: str,
        kind: str,
        scenario: str,
        count: int,
    ) -> None:
        """Adds a row."""
        self.days.append(day)
        self.metrics.append(metric)
        self.kinds.append(kind)
        self.scenarios.append(scenario)
        self.counts.append(count)

    def to_parameters(self, tenant_id: UUID) -> tuple[object, ...]:
        """Returns the parameters of INSERT_COUNTS."""
        return (tenant_id, self.days, self.metrics, self.kinds, self.scenarios, self.counts)


def fold_counters(s: Scope, *, limit: int = 50_000) -> int:
    """Adds up to `limit` deltas to the daily counters and deletes them. Returns the number of counters changed."""
    return s.cursor().execute(_FOLD, (s.tenant_id, s.tenant_id, limit, s.tenant_id)).rowcount
