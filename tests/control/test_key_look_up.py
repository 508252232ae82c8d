"""The one SECURITY DEFINER function of the control plane, as PostgreSQL sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, connections

from tenants.control.read_models import NewApiKey
from tenants.regions import TenantRef

FUNCTION = """
SELECT p.prosecdef, p.proconfig::text, p.proowner::regrole::text, r.rolcanlogin, r.rolbypassrls, r.rolsuper,
       has_function_privilege('lepton_app', p.oid, 'EXECUTE'),
       EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0)
FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
WHERE p.oid = 'app.find_api_key(text)'::regprocedure
"""


def run(sql: str, *params: object) -> list[tuple[Any, ...]]:
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def test_it_runs_as_an_owner_who_cannot_sign_in_with_a_pinned_search_path(
    database: None, superuser: Any
) -> None:
    row = superuser().execute(FUNCTION).fetchone()
    assert row == (
        True,
        '{"search_path=pg_catalog, pg_temp"}',
        "lepton_owner",
        False,
        False,
        False,
        True,
        False,
    )


def test_it_finds_one_key_by_its_id_and_nothing_else(
    tenant: TenantRef, new_key: Callable[..., NewApiKey]
) -> None:
    created = new_key(tenant)
    row = run("SELECT tenant_id FROM app.find_api_key(%s)", created.key.id)
    assert row == [(tenant.id,)]
    assert run("SELECT tenant_id FROM app.find_api_key(%s)", "%") == []
    assert run("SELECT tenant_id FROM app.find_api_key(NULL)") == []


def test_the_table_itself_stays_shut_without_a_scope(database: None) -> None:
    with pytest.raises(ProgrammingError, match="no scope"):
        run("SELECT id FROM control_apikey")


@pytest.mark.parametrize("table", ["control_apikey", "control_member", "control_auditentry"])
def test_a_stranger_scope_sees_none_of_the_rows(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    new_key: Callable[..., NewApiKey],
    person: Any,
    actor: Any,
    table: str,
) -> None:
    from tenants.scope import control_scope

    new_key(tenant)
    person(tenant)
    count = psycopg.sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = %s").format(
        psycopg.sql.Identifier(table)
    )
    with control_scope(stranger_tenant.id, actor=actor) as s:
        seen = s.cursor().execute(count, (tenant.id,)).fetchone()
    with control_scope(tenant.id, actor=actor) as s:
        own_row = s.cursor().execute(count, (tenant.id,)).fetchone()
    assert seen == (0,)
    assert own_row is not None
    assert own_row[0] > 0
