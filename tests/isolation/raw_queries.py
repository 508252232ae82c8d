"""Hand-written SQL on a data database. Each statement is valid in a scope."""

from __future__ import annotations

from itertools import count
from typing import Any

NOBODY = "00000000-0000-0000-0000-000000000001"
ITEM = f"'{NOBODY}', 1001, 'k', true, 1, 'f', 'b', now(), now()"
COLUMNS = "tenant_id, item_no, item_key, live, version, fingerprint, body, created_at, updated_at"

READS = {
    "every row": "SELECT * FROM data_item",
    "one row by number": "SELECT * FROM data_item WHERE item_no = 1",
    "one row by key": "SELECT * FROM data_item WHERE item_key = 'k'",
    "no row": "SELECT * FROM data_item WHERE NOT live",
    "rows of one tenant": "SELECT * FROM data_item WHERE tenant_id = '00000000-0000-0000-0000-000000000001'",
    "a null test": "SELECT * FROM data_job WHERE lease_until IS NULL AND finished_at IS NOT NULL",
    "a partial index": "SELECT * FROM data_job WHERE state = 'running' AND lease_until < now()",
    "messages that wait": "SELECT * FROM data_outbox WHERE published_at IS NULL ORDER BY created_at",
    "a count": "SELECT count(*) FROM data_timeline",
    "a sum": "SELECT coalesce(sum(count), 0) FROM data_timeline WHERE last_at < now() - interval '9 years'",
    "groups": "SELECT kind, sum(count) FROM data_counter GROUP BY kind HAVING sum(count) > 1",
    "the greatest": "SELECT max(version) FROM data_item",
    "a window": "SELECT item_no, row_number() OVER (ORDER BY version) FROM data_item",
    "distinct": "SELECT DISTINCT tenant_id FROM data_profile",
    "sorted with a limit": "SELECT * FROM data_review ORDER BY at DESC LIMIT 1",
    "a limit of none": "SELECT * FROM data_item LIMIT 0",
    "an inner join": "SELECT * FROM data_review r JOIN data_item i USING (tenant_id, item_no)",
    "a left join": "SELECT * FROM (VALUES (1)) v(n) LEFT JOIN data_item i ON i.item_no = v.n",
    "a full join": "SELECT * FROM data_item i FULL JOIN data_itemimage m USING (tenant_id, item_no)",
    "a cross join": "SELECT count(*) FROM data_job, data_outbox",
    "an anti join": "SELECT * FROM data_item i WHERE NOT EXISTS (SELECT FROM data_itemimage m WHERE m.item_no = i.item_no)",
    "EXISTS": "SELECT EXISTS (SELECT FROM data_seenitems)",
    "IN": "SELECT 1 WHERE 1 IN (SELECT item_no FROM data_item)",
    "a scalar sub-query": "SELECT (SELECT count(*) FROM data_receipt)",
    "a CTE": "WITH found AS (SELECT * FROM data_item) SELECT count(*) FROM found",
    "a materialised CTE": "WITH found AS MATERIALIZED (SELECT * FROM data_profile) SELECT * FROM found",
    "a recursive CTE": "WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT i + 1 FROM n JOIN data_item ON item_no = i) "
    "SELECT * FROM n",
    "LATERAL": "SELECT * FROM generate_series(1, 2) g, LATERAL (SELECT * FROM data_item WHERE item_no = g) i",
    "a union": "SELECT tenant_id FROM data_item UNION ALL SELECT tenant_id FROM data_review",
    "EXCEPT": "SELECT tenant_id FROM data_item EXCEPT SELECT tenant_id FROM data_tenantstate",
    "a sample": "SELECT * FROM data_item TABLESAMPLE SYSTEM (1)",
    "a row's address": "SELECT * FROM data_item WHERE ctid = '(0,1)'",
    "with a lock": "SELECT * FROM data_item WHERE NOT live FOR UPDATE",
    "skipping locks": "SELECT * FROM data_outbox FOR UPDATE SKIP LOCKED",
    "TABLE": "TABLE data_idempotency",
    "a model version": "SELECT * FROM recommender_modelversion WHERE NOT has_artefact",
    "EXPLAIN": "EXPLAIN SELECT * FROM data_item",
    "a prepared statement": "PREPARE q_NEW AS SELECT * FROM data_item WHERE NOT live; EXECUTE q_NEW",
    "a cursor": "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM data_item WHERE NOT live; FETCH ALL c; CLOSE c",
    "in a block": "DO $$ BEGIN PERFORM count(*) FROM data_item WHERE NOT live; END $$",
    "as XML of a query": "SELECT query_to_xml('SELECT * FROM data_item WHERE NOT live', true, true, '')",
}
WRITES = {
    "INSERT": f"INSERT INTO data_item ({COLUMNS}) VALUES ({ITEM})",
    "INSERT from a query": f"INSERT INTO data_item ({COLUMNS}) SELECT {COLUMNS} FROM data_item WHERE NOT live",
    "INSERT or nothing": f"INSERT INTO data_item ({COLUMNS}) VALUES ({ITEM}) ON CONFLICT DO NOTHING",
    "INSERT or UPDATE": f"INSERT INTO data_item ({COLUMNS}) VALUES ({ITEM}) "
    "ON CONFLICT (tenant_id, item_key) DO UPDATE SET live = false",
    "UPDATE": "UPDATE data_item SET live = false WHERE NOT live",
    "UPDATE of one row": "UPDATE data_job SET state = 'failed' WHERE id = '00000000-0000-0000-0000-000000000001'",
    "UPDATE with a join": "UPDATE data_item i SET live = true FROM data_review r WHERE r.item_no = i.item_no",
    "DELETE": "DELETE FROM data_timeline",
    "DELETE of old rows": "DELETE FROM data_receipt WHERE id < '00000000-0000-0000-0000-000000000001'",
    "DELETE with a join": "DELETE FROM data_review r USING data_item i WHERE i.item_no = r.item_no AND NOT i.live",
    "DELETE that returns": "WITH gone AS (DELETE FROM data_outbox RETURNING id) SELECT count(*) FROM gone",
    "MERGE": "MERGE INTO data_item i USING (VALUES (1)) v(n) ON i.item_no = v.n WHEN MATCHED THEN DELETE",
}
QUERIES = {**READS, **WRITES}
COPIES = {
    "COPY of a table": "COPY data_item TO STDOUT",
    "COPY of a query": "COPY (SELECT * FROM data_item WHERE NOT live) TO STDOUT",
}


# A prepared statement survives a failed transaction, so that each one gets a new name.
_statement_numbers = count()


def run_query(cursor: Any, name: str, *, tenant_id: object = NOBODY) -> str:
    """Runs one query on a psycopg cursor and fetches all rows. Returns PostgreSQL's status message."""
    if name in COPIES:
        with cursor.copy(COPIES[name]) as copy_stream:
            list(copy_stream)
        return f"COPY {cursor.rowcount}"
    cursor.execute(
        QUERIES[name].replace(NOBODY, str(tenant_id)).replace("_NEW", str(next(_statement_numbers)))
    )
    if cursor.description:
        cursor.fetchall()
    return str(cursor.statusmessage)
