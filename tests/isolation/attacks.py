"""Injected SQL: statements that an attacker could send on the application's own connection.

`{victim}` is the ID of the attacked tenant, `{number}` the number of one of its items, `{attacker}` the ID of the attacker.
"""

from __future__ import annotations

from typing import Any

import psycopg

ALIAS, NUMBER, CANARY = "data_eu", 765432101, "canary-of-the-other-tenant"

FORBIDDEN = [
    "SET ROLE lepton_owner",
    "SET ROLE lepton_migrate",
    "SET ROLE pg_read_all_data",
    "SET SESSION AUTHORIZATION lepton_owner",
    "DO $$ BEGIN EXECUTE 'SET ROLE lepton_owner'; END $$",
    "ALTER ROLE lepton_app BYPASSRLS",
    "ALTER ROLE lepton_migrate PASSWORD 'x'",
    "CREATE ROLE helper",
    "GRANT lepton_owner TO lepton_app",
    "SET track_activities = on",
    "SET log_min_error_statement = error",
    "SET session_replication_role = replica",
    "ALTER TABLE data_item DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE data_item NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY data_item_policy ON data_item",
    "CREATE POLICY open ON data_item USING (true)",
    "CREATE TABLE public.copy AS SELECT * FROM data_item",
    "CREATE TEMP TABLE copy AS SELECT * FROM data_item",
    "CREATE TABLE public.part PARTITION OF data_item FOR VALUES IN (1)",
    "CREATE TABLE public.child () INHERITS (data_item)",
    "CREATE VIEW public.all_items AS SELECT * FROM data_item",
    "CREATE MATERIALIZED VIEW public.all_items AS SELECT * FROM data_item",
    "CREATE SCHEMA side",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "CREATE FUNCTION pg_temp.f(uuid, uuid) RETURNS bool LANGUAGE sql COST 0.0001 AS 'SELECT true'",
    "CREATE OPERATOR public.=== (leftarg = uuid, rightarg = uuid, function = uuid_eq)",
    "CREATE CAST (uuid AS int) WITH INOUT",
    "CREATE TRIGGER spy AFTER INSERT ON data_item FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE spy AS ON INSERT TO data_item DO ALSO NOTIFY x",
    "CREATE STATISTICS spy ON tenant_id, item_no FROM data_item",
    "CREATE PUBLICATION spy FOR TABLE data_item",
    "CREATE EXTENSION dblink",
    "SELECT * FROM app.scope_secret",
    "UPDATE app.scope_secret SET inner_pad = ''",
    "SELECT app.claim()",
    "CREATE OR REPLACE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "ALTER FUNCTION app.current_tenant() SECURITY INVOKER",
    "TRUNCATE data_item CASCADE",
    "UPDATE data_auditentry SET verb = ''",
    "DELETE FROM data_auditentry",
    "COPY data_item TO PROGRAM 'cat'",
    "COPY data_item TO '/var/lib/copy'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_read_binary_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT pg_stat_file('postgresql.conf')",
    "SELECT * FROM pg_ls_logdir()",
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, body) FROM data_item",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT setval('data_timeline_seq', 1)",
    "SELECT last_value FROM data_timeline_seq",
    "SELECT pg_create_logical_replication_slot('spy', 'test_decoding')",
]
"""Statements that the application's role has no privilege for."""

PROBES = [
    "SET LOCAL row_security = off",
    "SET row_security = off",
    "RESET ALL",
    "RESET app.scope",
    "SET LOCAL app.scope = ''",
    "DISCARD SEQUENCES",
    "COMMIT; SELECT * FROM data_item",
    "ROLLBACK; BEGIN; SELECT * FROM data_item",
    "SET app.scope = 'tenant:{victim}'",
    "SET app.scope = 'ops:sweeper|9999999999|'",
    "SELECT set_config('app.scope', 'tenant:{victim}|9999999999|' || repeat('0', 64), true)",
    "SELECT set_config('app.scope', replace(current_setting('app.scope'), '{attacker}', '{victim}'), true)",
    "SELECT set_config('app.scope', regexp_replace(current_setting('app.scope'), '[0-9]{{10}}', '9999999999'), true)",
    "SELECT set_config('app.scope', 'tenant:{victim}|' || current_setting('app.scope'), true)",
    "SELECT set_config('app.scope', current_setting('app.scope') || '|tenant:{victim}', true)",
    "SET search_path = pg_temp, public",
    "SELECT * FROM data_item WHERE tenant_id = '{victim}'",
    "SELECT * FROM data_item WHERE item_no = {number} OR true",
    "SELECT * FROM ONLY data_item",
    "SELECT * FROM data_item TABLESAMPLE BERNOULLI (100)",
    "SELECT * FROM data_item WHERE ctid = ANY (ARRAY(SELECT format('(%s,%s)', p, n)::tid "
    "FROM generate_series(0, 3) p, generate_series(1, 99) n))",
    "SELECT * FROM data_item FOR UPDATE SKIP LOCKED",
    "EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT * FROM data_item WHERE tenant_id = '{victim}'",
    "SELECT row_to_json(i) FROM data_item i",
    "UPDATE data_item SET live = false RETURNING *",
    "UPDATE data_item SET live = false RETURNING OLD.*, NEW.*",
    "DELETE FROM data_item RETURNING *",
    "MERGE INTO data_item i USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET live = false RETURNING i.*",
    "UPDATE data_item SET tenant_id = '{victim}'",
    "INSERT INTO data_item SELECT '{victim}', {number}, item_key, live, version, fingerprint, body, now(), now() "
    "FROM data_item LIMIT 1 ON CONFLICT (tenant_id, item_no) DO UPDATE SET live = false RETURNING *",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM data_item LOOP RAISE NOTICE '%', r; END LOOP; END $$",
    "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT json_agg(i) FROM data_item i); END $$",
    "SELECT query_to_xml('SELECT * FROM data_item', true, true, '')",
    "SELECT table_to_xml('data_item', true, true, '')",
    "SELECT schema_to_xml('public', true, true, '')",
    "SELECT database_to_xml(true, true, '')",
    "SELECT * FROM data_item WHERE encode(body, 'escape')::int > 0",
    "SELECT * FROM data_item WHERE item_no::text::uuid IS NULL",
    "SELECT * FROM data_item WHERE 1 / (item_no - {number}) > 0",
    "SELECT * FROM data_item WHERE set_config('spy.seen', concat(current_setting('spy.seen', true), item_no, ' '), true) "
    "IS NULL",
    "SELECT count(*) FROM data_item WHERE pg_notify('spy', item_no::text) IS NOT NULL",
    "SELECT count(*) FROM data_item WHERE pg_advisory_xact_lock(item_no) IS NULL",
    "SELECT * FROM data_item i JOIN (VALUES ({number})) v(n) ON i.item_no = v.n",
    "SELECT (SELECT i FROM data_item i WHERE i.item_no = v.n) FROM (VALUES ({number})) v(n)",
    "SELECT * FROM pg_stats WHERE schemaname = 'public'",
    "SELECT * FROM pg_stats_ext",
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_locks",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_prepared_xacts",
    "SELECT * FROM pg_settings WHERE name LIKE 'app.%' OR name LIKE 'spy.%'",
    "SELECT * FROM pg_db_role_setting",
    "SELECT * FROM pg_sequences",
    "SELECT currval('data_timeline_seq')",
    "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy",
    "SELECT pg_advisory_lock(1), pg_advisory_unlock_all()",
    "LISTEN spy",
    "SELECT pg_export_snapshot()",
    "ANALYZE data_item",
    "GRANT SELECT ON data_item TO PUBLIC",
    "LOAD 'dblink'",
    "CREATE LANGUAGE plpython3u",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "ALTER SYSTEM SET log_statement = 'all'",
    "PREPARE spy AS SELECT * FROM data_item; EXECUTE spy; DEALLOCATE spy",
    "DECLARE spy CURSOR WITH HOLD FOR SELECT * FROM data_item; FETCH ALL spy; CLOSE spy",
    "ALTER ROLE lepton_app SET row_security = off; SELECT 1 / 0",
]
"""Statements that may succeed or fail. Neither their output nor later statements may show a foreign row."""

COPIES = [
    "COPY data_item TO STDOUT",
    "COPY data_item (item_no, body) TO STDOUT (FORMAT binary)",
    "COPY (SELECT * FROM data_item WHERE tenant_id = '{victim}') TO STDOUT",
]


def collect_output(raw: psycopg.Connection[Any], statement: str) -> str:
    """Executes a statement. Returns its rows, copied bytes, notices, notifications and error as one text."""
    messages: list[str] = []
    raw.add_notice_handler(
        lambda notice: messages.append(f"{notice.message_primary} {notice.message_detail}")
    )
    cursor = psycopg.Cursor(raw)
    try:
        if statement.startswith("COPY"):
            with cursor.copy(statement) as copy_stream:
                messages += [bytes(block).decode("latin-1") for block in copy_stream]
        else:
            cursor.execute(statement)
            messages += [str(row) for result in cursor.results() if result.description for row in result]
    except psycopg.Error as error:
        messages.append(f"{error} {error.diag.message_detail} {error.diag.context}")
    return " ".join(messages + [str(message) for message in raw.notifies(timeout=0)])


def contains_canary(output: str) -> bool:
    """Checks for the victim's item number and canary, as text and as bytes."""
    traces = (
        str(NUMBER),
        CANARY,
        CANARY.encode().hex(),
        str(NUMBER.to_bytes(4))[2:-1],
        CANARY[:16].encode().hex(),
    )
    return any(trace in output for trace in traces)
