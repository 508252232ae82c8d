"""SQL on the application's own connection, as after an injection, cannot change tenant."""

from __future__ import annotations

import time

import psycopg
import pytest

from tenants.data.actions.catalog import upsert_items
from tenants.data.types import ItemInput
from tenants.scope import LIFETIME, scope, token

COUNT = "SELECT count(*) FROM data_item"


@pytest.fixture
def two_catalogues(tenant, stranger_tenant, actor):
    for one in (tenant, stranger_tenant):
        with scope(one, actor=actor) as s:
            upsert_items(s, [ItemInput(id="a"), ItemInput(id="b")])


def try_in_scope(tenant, actor, statement: str) -> int:
    """Rows of data_item seen after `statement` in an open scope. Raises what PostgreSQL raises."""
    with scope(tenant, actor=actor) as s:
        s.cursor().execute(statement)
        return s.cursor().execute(COUNT).fetchone()[0]


def test_only_own_rows_are_counted(tenant, actor, two_catalogues):
    assert try_in_scope(tenant, actor, "SELECT 1") == 2


def forged(body: str) -> str:
    return f"SELECT set_config('app.scope', '{body}', true)"


@pytest.mark.parametrize("tail", ["", "|" + "0" * 64, "|" + "f" * 64, "|", "|x"])
def test_a_forged_claim_raises(tenant, stranger_tenant, actor, two_catalogues, tail):
    body = f"tenant:{stranger_tenant.id}|{int(time.time()) + 60}{tail}"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        try_in_scope(tenant, actor, forged(body))


def test_a_signature_is_bound_to_its_tenant(tenant, stranger_tenant, actor, two_catalogues):
    mine = token("data_" + tenant.region, f"tenant:{tenant.id}", LIFETIME)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="forged"):
        try_in_scope(tenant, actor, forged(mine.replace(str(tenant.id), str(stranger_tenant.id))))


def test_an_expired_claim_raises(tenant, actor, two_catalogues):
    old = token("data_" + tenant.region, f"tenant:{tenant.id}", -LIFETIME)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="expired"):
        try_in_scope(tenant, actor, forged(old))


def test_a_claim_of_another_database_raises(tenant, actor, two_catalogues):
    other = token("default", f"tenant:{tenant.id}", LIFETIME)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="forged"):
        try_in_scope(tenant, actor, forged(other))


REFUSED = [
    "SET ROLE lepton_owner",
    "SET ROLE lepton_migrate",
    "SET SESSION AUTHORIZATION lepton_owner",
    "ALTER TABLE data_item DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE data_item NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY data_item_policy ON data_item",
    "CREATE POLICY open ON data_item USING (true)",
    "CREATE TABLE public.copy AS SELECT * FROM data_item",
    "CREATE TEMP TABLE copy AS SELECT * FROM data_item",
    "CREATE VIEW public.all_items AS SELECT * FROM data_item",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "SELECT * FROM app.scope_secret",
    "UPDATE app.scope_secret SET inner_pad = ''",
    "SELECT app.claim()",
    "CREATE OR REPLACE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "TRUNCATE data_item CASCADE",
    "COPY data_item TO PROGRAM 'cat'",
    "COPY data_item TO '/var/lib/copy'",
    "ALTER ROLE lepton_app BYPASSRLS",
    "GRANT lepton_owner TO lepton_app",
    "SELECT pg_read_file('postgresql.conf')",
    "UPDATE data_auditentry SET verb = ''",
    "DELETE FROM data_auditentry",
    "SET track_activities = on",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_a_statement_that_would_open_the_door_is_refused(tenant, actor, two_catalogues, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        try_in_scope(tenant, actor, statement)


HARMLESS = [
    "SET LOCAL row_security = off",
    "RESET ALL",
    "RESET app.scope",
    "SET LOCAL app.scope = ''",
    "DISCARD SEQUENCES",
]


@pytest.mark.parametrize("statement", HARMLESS)
def test_a_setting_shows_no_foreign_row(tenant, actor, two_catalogues, statement):
    try:
        seen = try_in_scope(tenant, actor, statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ActiveSqlTransaction):
        seen = 0
    assert seen in (0, 2)


def test_writing_a_row_of_another_tenant_raises(tenant, stranger_tenant, actor, two_catalogues):
    with scope(tenant, actor=actor) as s, pytest.raises(psycopg.errors.InsufficientPrivilege):
        s.cursor().execute("UPDATE data_item SET tenant_id = %s", (stranger_tenant.id,))


def test_explain_shows_no_foreign_row(tenant, actor, two_catalogues):
    with scope(tenant, actor=actor) as s:
        plan = s.cursor().execute("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM data_item").fetchone()[0]
    text = plan if isinstance(plan, str) else str(plan)
    assert "InitPlan" in text


def test_the_claim_stands_in_no_activity_view(tenant, actor):
    with scope(tenant, actor=actor) as s:
        rows = (
            s.cursor().execute("SELECT query FROM pg_stat_activity WHERE usename = 'lepton_app'").fetchall()
        )
    assert not [query for (query,) in rows if query and "tenant:" in query]
