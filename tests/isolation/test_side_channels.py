"""Keys, cascading deletes and error messages reveal nothing about the rows of another tenant."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tenants.regions import TenantRef
from tenants.scope import keys_scope, scope
from tests.isolation.pg_catalog import REGIONAL, WITH_TENANT, fetch_rows, query_databases

pytestmark = [pytest.mark.proof(row=6), pytest.mark.usefixtures("services")]

# An expression has no column number: its name is NULL, so that the key counts as misordered.
KEYS = f"""
SELECT conname, contype::text, (SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]),
       CASE contype WHEN 'f' THEN
            (SELECT attname::text FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1])
       ELSE 'tenant_id' END
FROM pg_constraint WHERE contype IN ('p', 'u', 'f', 'x') AND (conrelid IN ({WITH_TENANT}) OR confrelid IN ({WITH_TENANT}))
UNION ALL
SELECT indexrelid::regclass::text, 'index',
       (SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum = indkey[0]), 'tenant_id'
FROM pg_index WHERE (indisunique OR indisexclusion) AND indrelid IN ({WITH_TENANT})
"""
TABLES_WITHOUT_TENANT = f"""
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_t'
  AND c.oid NOT IN ({WITH_TENANT})
"""
TABLES = f"""
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum), array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid IN ({WITH_TENANT}) GROUP BY c.oid, c.relname
ORDER BY EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = c.oid), c.relname
"""
# Parents that are children of other tables come first, before a cascading delete removes their rows.
PARENTS = """
SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
GROUP BY confrelid
ORDER BY EXISTS (SELECT FROM pg_constraint up WHERE up.contype = 'f' AND up.conrelid = pg_constraint.confrelid) DESC
"""
SQL_VALUES = {
    "uuid": "'00000000-0000-7000-8000-000000000001'",
    "bytea": "decode('00112233445566778899aabbccddeeff', 'hex')",
    "character varying": "'x'",
    "text": "'x'",
    "boolean": "true",
    "smallint": "7",
    "integer": "7",
    "bigint": "7",
    "jsonb": "'{}'",
    "date": "'2026-01-01'",
    "timestamp with time zone": "'2026-01-01 00:00+00'",
}
SCOPES = {"data_eu": scope, "keys_eu": keys_scope}


def find_misordered_keys(keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [key for key in keys if key[-2:] != ("tenant_id", "tenant_id")]


FILLED_TENANTS: list[TenantRef] = []


@pytest.fixture(autouse=True)
def delete_filled_rows(superuser):
    """Deletes the filled rows, whose values are not valid for other tests on the shared databases."""
    yield
    tenant_ids = [tenant.id for tenant in FILLED_TENANTS]
    FILLED_TENANTS.clear()
    if not tenant_ids:
        return
    for alias in SCOPES:
        for _, name, *_ in query_databases(TABLES, [alias]):
            superuser(alias).execute(f"DELETE FROM {name} WHERE tenant_id = ANY(%s)", (tenant_ids,))


def build_insert(table: str, columns: list[str], types: list[str], tenant_id: object) -> str:
    values = [
        f"'{tenant_id}'" if name == "tenant_id" else SQL_VALUES[kind]
        for name, kind in zip(columns, types, strict=True)
    ]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(values)})"


def fill_tables(alias: str, tenant: TenantRef, actor: Any) -> list[str]:
    """Inserts one row into every table, with the same values for every tenant. Returns the table names."""
    FILLED_TENANTS.append(tenant)
    tables = [row[1:] for row in query_databases(TABLES, [alias])]
    with SCOPES[alias](tenant, actor=actor) as s:
        for name, columns, types in tables:
            s.cursor().execute(build_insert(name, columns, types, tenant.id))
    return [name for name, *_ in tables]


def compute_digests(database: Any, tables: list[str], tenant: TenantRef) -> dict[str, Any]:
    return {
        table: database.execute(
            f"SELECT count(*), md5(string_agg(t::text, '|')) FROM {table} t WHERE tenant_id = %s",
            (tenant.id,),
        ).fetchone()
        for table in tables
    }


def test_every_key_starts_with_the_tenant(figure):
    keys = query_databases(KEYS, REGIONAL)
    assert {kind for _, _, kind, *_ in keys} >= {"p", "u", "f", "index"}
    assert figure(
        "primary, unique, exclusion and foreign keys that do not start with the tenant",
        len(find_misordered_keys(keys)),
        of=len(keys),
        passes=not find_misordered_keys(keys),
    ), find_misordered_keys(keys)


def test_regional_databases_have_no_unexpected_table_without_a_tenant(figure):
    tables = query_databases(TABLES_WITHOUT_TENANT, REGIONAL)
    unexpected = {table for _, table in tables} - {"django_migrations", "app.scope_secret"}
    assert figure(
        "tables without a tenant in data and keys databases", len(unexpected), passes=not unexpected
    ), unexpected


MISORDERED_KEYS = {
    "a unique column": "ALTER TABLE data_item ADD CONSTRAINT loose UNIQUE (item_key)",
    "a unique expression": "CREATE UNIQUE INDEX loose ON data_item (abs(item_no))",
    "a foreign key": "ALTER TABLE data_item ADD CONSTRAINT loose FOREIGN KEY (item_no, tenant_id) "
    "REFERENCES data_item (item_no, tenant_id)",
    "an exclusion": "ALTER TABLE data_item ADD CONSTRAINT loose EXCLUDE (item_no WITH =)",
}


@pytest.mark.parametrize("key_kind", MISORDERED_KEYS)
def test_the_query_detects_a_key_that_does_not_start_with_the_tenant(superuser, key_kind):
    database = superuser("data_cn")
    with database.transaction(force_rollback=True), database.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX swapped ON data_item (item_no, tenant_id)")
        cursor.execute(MISORDERED_KEYS[key_kind])
        assert {name for name, *_ in find_misordered_keys(fetch_rows(cursor, KEYS))} == {"swapped", "loose"}


@pytest.mark.parametrize("alias", SCOPES)
def test_two_tenants_can_use_the_same_key_values(alias, actor, superuser, figure):
    first_tenant, second_tenant = TenantRef(uuid4(), "eu"), TenantRef(uuid4(), "eu")
    tables = fill_tables(alias, first_tenant, actor)
    fill_tables(alias, second_tenant, actor)
    stored = compute_digests(superuser(alias), tables, second_tenant)
    missing = [table for table, (count, _) in stored.items() if count != 1]
    assert figure(
        f"tables of {alias} that refused a key value of another tenant",
        len(missing),
        of=len(tables),
        passes=not missing,
    ), missing


@pytest.mark.parametrize("alias", SCOPES)
def test_deleting_parents_changes_no_row_of_another_tenant(alias, actor, superuser, figure):
    tenant, other = TenantRef(uuid4(), "eu"), TenantRef(uuid4(), "eu")
    tables = fill_tables(alias, tenant, actor)
    fill_tables(alias, other, actor)
    before = compute_digests(superuser(alias), tables, other)
    parents = [parent for _, parent in query_databases(PARENTS, [alias])]
    with SCOPES[alias](tenant, actor=actor) as s:
        for parent in parents:
            assert s.cursor().execute(f"DELETE FROM {parent}").rowcount == 1
    after = compute_digests(superuser(alias), tables, other)
    changed = [table for table in tables if before[table] != after[table]]
    emptied = [
        table for table, (count, _) in compute_digests(superuser(alias), tables, tenant).items() if not count
    ]
    assert len(emptied) > len(parents) > 0
    assert figure(
        f"tables of {alias} that lost or changed another tenant's rows",
        len(changed),
        of=len(tables),
        passes=not changed,
    ), changed


def get_reply(tenant: TenantRef, actor: Any, statement: str) -> str:
    """Executes one statement in the tenant's scope. Returns its status or its error."""
    try:
        with scope(tenant, actor=actor) as s:
            return s.cursor().execute(statement).statusmessage or ""
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"


COPY_ITEM = "INSERT INTO data_item SELECT {tenant}, {number}, item_key, live, version, fingerprint, body, now(), now() FROM data_item"
INSERT_KNOWN_ITEM = COPY_ITEM.format(tenant="tenant_id", number=4711).replace("item_key", "'other'")
ORACLES = {
    "insert under the other's name": COPY_ITEM.replace("{tenant}", "'{victim}'"),
    "insert or nothing": COPY_ITEM.replace("{tenant}", "'{victim}'") + " ON CONFLICT DO NOTHING",
    "insert or update": COPY_ITEM.replace("{tenant}", "'{victim}'")
    + " ON CONFLICT (tenant_id, item_no) DO UPDATE SET live = false",
    "move to the other's number": "UPDATE data_item SET tenant_id = '{victim}', item_no = {number}",
    "hang on the other's row": "INSERT INTO data_itemimage VALUES ('{attacker}', {number}, 'x', 'x', now())",
    "hang on it under its name": "INSERT INTO data_itemimage VALUES ('{victim}', {number}, 'x', 'x', now())",
    "divide by what is there": "SELECT 1 / (item_no - {number}) FROM data_item",
    "print what is there": "SELECT encode(body, 'escape')::int FROM data_item WHERE item_no = {number}",
    "lock it": "SELECT * FROM data_item WHERE item_no = {number} FOR UPDATE NOWAIT",
    "delete it": "DELETE FROM data_item WHERE item_no = {number}",
}


def test_replies_do_not_distinguish_a_foreign_row_from_an_absent_one(actor, figure):
    tenant, other = TenantRef(uuid4(), "eu"), TenantRef(uuid4(), "eu")
    fill_tables("data_eu", tenant, actor)
    fill_tables("data_eu", other, actor)
    with scope(other, actor=actor) as s:
        s.cursor().execute(INSERT_KNOWN_ITEM)
    replies_by_name = {}
    for name, oracle in ORACLES.items():
        replies = set()
        for number in (4711, 4712):
            statement = oracle.format(attacker=tenant.id, victim=other.id, number=number)
            replies.add(get_reply(tenant, actor, statement).replace("4711", "N").replace("4712", "N"))
        replies_by_name[name] = replies
    differ = {name: replies for name, replies in replies_by_name.items() if len(replies) > 1}
    what = "statements that tell a foreign row from an absent one"
    assert figure(what, len(differ), of=len(ORACLES), passes=not differ), differ


def test_replies_distinguish_an_own_row_from_an_absent_one(actor):
    """A control: the statements above do reveal an own row."""
    tenant = TenantRef(uuid4(), "eu")
    fill_tables("data_eu", tenant, actor)
    with scope(tenant, actor=actor) as s:
        s.cursor().execute(INSERT_KNOWN_ITEM)
    n_different = 0
    for oracle in ORACLES.values():
        replies = set()
        for number in (4711, 4712):
            statement = oracle.format(attacker=tenant.id, victim=tenant.id, number=number)
            replies.add(get_reply(tenant, actor, statement).replace(str(number), "N"))
        n_different += len(replies) == 2
    assert n_different >= 5
