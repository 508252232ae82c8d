"""The SECURITY DEFINER function that looks up an API key."""

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


def run_query(sql: str, *params: object) -> list[tuple[Any, ...]]:
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def test_the_function_runs_as_a_role_without_login_and_with_a_pinned_search_path(
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


def test_the_function_returns_only_the_key_with_the_exact_id(
    tenant: TenantRef, make_key: Callable[..., NewApiKey]
) -> None:
    created = make_key(tenant)
    row = run_query("SELECT tenant_id FROM app.find_api_key(%s)", created.key.id)
    assert row == [(tenant.id,)]
    assert run_query("SELECT tenant_id FROM app.find_api_key(%s)", "%") == []
    assert run_query("SELECT tenant_id FROM app.find_api_key(NULL)") == []


def test_the_key_table_cannot_be_read_without_a_scope(database: None) -> None:
    with pytest.raises(ProgrammingError, match="no scope"):
        run_query("SELECT id FROM control_apikey")


@pytest.mark.parametrize("table", ["control_apikey", "control_member", "control_auditentry"])
def test_the_scope_of_another_tenant_sees_no_rows(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    make_key: Callable[..., NewApiKey],
    make_user: Any,
    actor: Any,
    table: str,
) -> None:
    from tenants.scope import control_scope

    make_key(tenant)
    make_user(tenant)
    count_query = psycopg.sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = %s").format(
        psycopg.sql.Identifier(table)
    )
    with control_scope(stranger_tenant.id, actor=actor) as s:
        foreign_count = s.cursor().execute(count_query, (tenant.id,)).fetchone()
    with control_scope(tenant.id, actor=actor) as s:
        count = s.cursor().execute(count_query, (tenant.id,)).fetchone()
    assert foreign_count == (0,)
    assert count is not None
    assert count[0] > 0
