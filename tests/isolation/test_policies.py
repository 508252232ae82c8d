"""The catalogue of PostgreSQL, not the models, says whether every tenant table is locked."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connections

ALIASES = ["default", *(f"{plane}_{code}" for plane in ("data", "keys") for code in ("cn", "eu", "us"))]
WITH_TENANT = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'
  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
"""


def rows(alias: str, sql: str, *params: object) -> list[tuple]:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


@pytest.mark.parametrize("alias", ALIASES)
def test_there_are_tenant_tables(alias, services):
    assert rows(alias, WITH_TENANT)


@pytest.mark.parametrize("alias", ALIASES)
def test_every_tenant_table_forces_row_level_security(alias, services):
    open_tables = rows(
        alias,
        f"SELECT relname FROM pg_class WHERE oid::regclass::text IN ({WITH_TENANT}) "
        "AND NOT (relrowsecurity AND relforcerowsecurity)",
    )
    assert open_tables == []


@pytest.mark.parametrize("alias", ALIASES)
def test_every_policy_guards_reads_and_writes_and_calls_the_claim(alias, services):
    policies = rows(
        alias,
        "SELECT polrelid::regclass::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), "
        "polcmd::text, polroles::regrole[]::text FROM pg_policy",
    )
    everybody = [policy for policy in policies if policy[4] == "{-}"]
    locked = {table for table, using, check, command, _ in everybody if command == "*" and using and check}
    assert locked == {table for (table,) in rows(alias, WITH_TENANT)}
    assert all("app." in using and "app." in check for _, using, check, _, _ in everybody)
    assert {roles for *_, roles in policies} <= {"{-}", "{lepton_owner}"}


@pytest.mark.parametrize("alias", ALIASES)
def test_the_application_role_owns_nothing_and_is_nobody_special(alias, services):
    owned = rows(alias, "SELECT relname FROM pg_class WHERE relowner = 'lepton_app'::regrole")
    special = rows(
        alias, "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    member_of = rows(alias, "SELECT 1 FROM pg_auth_members WHERE member = 'lepton_app'::regrole")
    assert (owned, special, member_of) == ([], [(False, False, False)], [])


@pytest.mark.parametrize("alias", ALIASES)
def test_no_materialised_view_stands_on_tenant_data(alias, services):
    assert rows(alias, "SELECT relname FROM pg_class WHERE relkind = 'm'") == []


@pytest.mark.parametrize("alias", ALIASES)
def test_every_definer_function_pins_its_search_path(alias, services):
    loose = rows(
        alias,
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace <> 'pg_catalog'::regnamespace "
        "AND position('search_path=' IN coalesce(proconfig::text, '')) = 0",
    )
    assert loose == []


@pytest.mark.parametrize("alias", [alias for alias in ALIASES if alias != "default"])
def test_every_key_of_a_tenant_table_starts_with_the_tenant(alias, services):
    keys = rows(
        alias,
        "SELECT conname, conrelid::regclass::text, contype, "
        "(SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]) "
        f"FROM pg_constraint WHERE contype IN ('p', 'u', 'f') AND conrelid::regclass::text IN ({WITH_TENANT})",
    )
    assert keys
    assert [name for name, _, _, first in keys if first != "tenant_id"] == []


@pytest.mark.parametrize("alias", [alias for alias in ALIASES if alias != "default"])
def test_every_unique_index_of_a_tenant_table_starts_with_the_tenant(alias, services):
    indexes = rows(
        alias,
        "SELECT indexrelid::regclass::text, (SELECT attname FROM pg_attribute WHERE attrelid = indrelid AND attnum = indkey[0]) "
        f"FROM pg_index WHERE indisunique AND indrelid::regclass::text IN ({WITH_TENANT})",
    )
    assert [name for name, first in indexes if first != "tenant_id"] == []


def test_every_configured_region_is_checked(services):
    assert {alias.partition("_")[2] for alias in ALIASES if alias != "default"} == set(
        settings.LEPTON_REGIONS
    )
