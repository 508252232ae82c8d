"""What stands in one tenant's rows neither blocks another's, nor follows their deletes, nor answers by its errors."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tenants.regions import TenantRef
from tenants.scope import keys_scope, scope
from tests.isolation.catalogue import REGIONAL, WITH_TENANT, everywhere, rows

pytestmark = [pytest.mark.proof(row=6), pytest.mark.usefixtures("services")]

# An expression has no column number, so that its name is NULL and it counts as wrong.
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
ELSEWHERE = f"""
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
# Those that are children themselves first: their rows go with their parents'.
PARENTS = """
SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
GROUP BY confrelid
ORDER BY EXISTS (SELECT FROM pg_constraint up WHERE up.contype = 'f' AND up.conrelid = pg_constraint.confrelid) DESC
"""
VALUES = {
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
DOORS = {"data_eu": scope, "keys_eu": keys_scope}


def wrong(keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [key for key in keys if key[-2:] != ("tenant_id", "tenant_id")]


FILLED: list[TenantRef] = []


@pytest.fixture(autouse=True)
def leaves_nothing(superuser):
    """These rows mean nothing: other readers of the shared databases would stumble over them."""
    yield
    created, FILLED[:] = [statement.id for statement in FILLED], []
    for alias in DOORS if created else ():
        for _, name, *_ in everywhere(TABLES, [alias]):
            superuser(alias).execute(f"DELETE FROM {name} WHERE tenant_id = ANY(%s)", (created,))


def insert(table: str, columns: list[str], types: list[str], tenant: object) -> str:
    statements = [
        f"'{tenant}'" if name == "tenant_id" else VALUES[kind]
        for name, kind in zip(columns, types, strict=True)
    ]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(statements)})"


def fill(alias: str, tenant: TenantRef, actor: Any) -> list[str]:
    """One row in every table, with the same values for every tenant. The tables."""
    FILLED.append(tenant)
    tables = [table[1:] for table in everywhere(TABLES, [alias])]
    with DOORS[alias](tenant, actor=actor) as s:
        for name, columns, types in tables:
            s.cursor().execute(insert(name, columns, types, tenant.id))
    return [name for name, *_ in tables]


def digests(database: Any, tables: list[str], tenant: TenantRef) -> dict[str, Any]:
    return {
        table: database.execute(
            f"SELECT count(*), md5(string_agg(t::text, '|')) FROM {table} t WHERE tenant_id = %s",
            (tenant.id,),
        ).fetchone()
        for table in tables
    }


def test_every_key_starts_with_the_tenant(figure):
    keys = everywhere(KEYS, REGIONAL)
    assert {kind for _, _, kind, *_ in keys} >= {"p", "u", "f", "index"}
    assert figure(
        "primary, unique, exclusion and foreign keys that do not start with the tenant",
        len(wrong(keys)),
        of=len(keys),
        passes=not wrong(keys),
    ), wrong(keys)


def test_no_other_table_stands_beside_the_tenants(figure):
    entries = everywhere(ELSEWHERE, REGIONAL)
    strange = {table for _, table in entries} - {"django_migrations", "app.scope_secret"}
    assert figure("tables without a tenant in data and keys databases", len(strange), passes=not strange), (
        strange
    )


LOOSE = {
    "a unique column": "ALTER TABLE data_item ADD CONSTRAINT loose UNIQUE (item_key)",
    "a unique expression": "CREATE UNIQUE INDEX loose ON data_item (abs(item_no))",
    "a foreign key": "ALTER TABLE data_item ADD CONSTRAINT loose FOREIGN KEY (item_no, tenant_id) "
    "REFERENCES data_item (item_no, tenant_id)",
    "an exclusion": "ALTER TABLE data_item ADD CONSTRAINT loose EXCLUDE (item_no WITH =)",
}


@pytest.mark.parametrize("loose", LOOSE)
def test_the_reader_sees_a_loose_key(superuser, loose):
    database = superuser("data_cn")
    with database.transaction(force_rollback=True), database.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX swapped ON data_item (item_no, tenant_id)")
        cursor.execute(LOOSE[loose])
        assert {name for name, *_ in wrong(rows(cursor, KEYS))} == {"swapped", "loose"}


@pytest.mark.parametrize("alias", DOORS)
def test_another_tenant_may_use_every_key_value(alias, actor, superuser, figure):
    first_tenant, second_tenant = TenantRef(uuid4(), "eu"), TenantRef(uuid4(), "eu")
    tables = fill(alias, first_tenant, actor)
    fill(alias, second_tenant, actor)
    stored = digests(superuser(alias), tables, second_tenant)
    missing = [table for table, (count, _) in stored.items() if count != 1]
    assert figure(
        f"tables of {alias} that refused a key value of another tenant",
        len(missing),
        of=len(tables),
        passes=not missing,
    ), missing


@pytest.mark.parametrize("alias", DOORS)
def test_deleting_parents_touches_no_other_tenant(alias, actor, superuser, figure):
    tenant, other = TenantRef(uuid4(), "eu"), TenantRef(uuid4(), "eu")
    tables = fill(alias, tenant, actor)
    fill(alias, other, actor)
    before = digests(superuser(alias), tables, other)
    parents = [parent for _, parent in everywhere(PARENTS, [alias])]
    with DOORS[alias](tenant, actor=actor) as s:
        for parent in parents:
            assert s.cursor().execute(f"DELETE FROM {parent}").rowcount == 1
    after = digests(superuser(alias), tables, other)
    touched = [table for table in tables if before[table] != after[table]]
    gone = [table for table, (count, _) in digests(superuser(alias), tables, tenant).items() if not count]
    assert len(gone) > len(parents) > 0
    assert figure(
        f"tables of {alias} that lost or changed another tenant's rows",
        len(touched),
        of=len(tables),
        passes=not touched,
    ), touched


def said(tenant: TenantRef, actor: Any, statement: str) -> str:
    """What PostgreSQL says to one statement in the tenant's scope."""
    try:
        with scope(tenant, actor=actor) as s:
            return s.cursor().execute(statement).statusmessage or ""
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"


ITEM = "INSERT INTO data_item SELECT {tenant}, {number}, item_key, live, version, fingerprint, body, now(), now() FROM data_item"
FOREIGN = ITEM.format(tenant="tenant_id", number=4711).replace("item_key", "'other'")
ORACLES = {
    "insert under the other's name": ITEM.replace("{tenant}", "'{other}'"),
    "insert or nothing": ITEM.replace("{tenant}", "'{other}'") + " ON CONFLICT DO NOTHING",
    "insert or update": ITEM.replace("{tenant}", "'{other}'")
    + " ON CONFLICT (tenant_id, item_no) DO UPDATE SET live = false",
    "move to the other's number": "UPDATE data_item SET tenant_id = '{other}', item_no = {number}",
    "hang on the other's row": "INSERT INTO data_itemimage VALUES ('{mine}', {number}, 'x', 'x', now())",
    "hang on it under its name": "INSERT INTO data_itemimage VALUES ('{other}', {number}, 'x', 'x', now())",
    "divide by what is there": "SELECT 1 / (item_no - {number}) FROM data_item",
    "print what is there": "SELECT encode(body, 'escape')::int FROM data_item WHERE item_no = {number}",
    "lock it": "SELECT * FROM data_item WHERE item_no = {number} FOR UPDATE NOWAIT",
    "delete it": "DELETE FROM data_item WHERE item_no = {number}",
}


def test_an_error_does_not_tell_a_foreign_row_from_none(actor, figure):
    tenant, other = TenantRef(uuid4(), "eu"), TenantRef(uuid4(), "eu")
    fill("data_eu", tenant, actor)
    fill("data_eu", other, actor)
    with scope(other, actor=actor) as s:
        s.cursor().execute(FOREIGN)
    replies_by_name = {}
    for name, statement in ORACLES.items():
        statements = [
            statement.format(mine=tenant.id, other=other.id, number=number) for number in (4711, 4712)
        ]
        replies_by_name[name] = {
            said(tenant, actor, statement).replace("4711", "N").replace("4712", "N")
            for statement in statements
        }
    differ = {name: replies for name, replies in replies_by_name.items() if len(replies) > 1}
    what = "statements that tell a foreign row from an absent one"
    assert figure(what, len(differ), of=len(ORACLES), passes=not differ), differ


def test_an_own_row_is_told_from_none(actor):
    """Else the statements above could say nothing at all."""
    tenant = TenantRef(uuid4(), "eu")
    fill("data_eu", tenant, actor)
    with scope(tenant, actor=actor) as s:
        s.cursor().execute(FOREIGN)
    with_row, without = (
        [
            said(tenant, actor, statement.format(mine=tenant.id, other=tenant.id, number=n)).replace(
                str(n), "N"
            )
            for statement in ORACLES.values()
        ]
        for n in (4711, 4712)
    )
    assert sum(statement != other for statement, other in zip(with_row, without, strict=True)) >= 5
