"""Injected SQL on the application's own connection shows no row of another tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connections

from tenants.regions import TenantRef
from tenants.scope import scope
from tests.isolation.attacks import ALIAS, COPIES, FORBIDDEN, NUMBER, PROBES, collect_output, contains_canary

pytestmark = pytest.mark.proof(row=5)

COUNT_VICTIM_ROWS = "SELECT count(*) FROM data_item WHERE item_no = %s OR tenant_id = %s"
WRITES = [probe for probe in PROBES if probe.startswith(("UPDATE", "DELETE", "MERGE", "INSERT"))]


@pytest.fixture(params=["inside a scope", "outside"])
def open_connection(request, attacker, actor) -> Any:
    """Opens a connection for one attack and discards it afterwards."""

    @contextmanager
    def open_raw() -> Iterator[psycopg.Connection[Any]]:
        with ExitStack() as stack:
            if request.param == "inside a scope":
                stack.enter_context(pytest.raises(ZeroDivisionError))
                stack.enter_context(scope(attacker, actor=actor))
            connections[ALIAS].ensure_connection()
            raw = connections[ALIAS].connection
            try:
                yield raw
                if request.param == "inside a scope":
                    raise ZeroDivisionError
            finally:
                raw.close()
                connections[ALIAS].close()

    open_raw.context = request.param
    return open_raw


def count_foreign_rows(raw: psycopg.Connection[Any], victim: TenantRef) -> int:
    """Counts the victim's rows after an attack. A broken connection shows none."""
    try:
        return psycopg.Cursor(raw).execute(COUNT_VICTIM_ROWS, (NUMBER, victim.id)).fetchone()[0]
    except psycopg.Error:
        return 0


def test_no_statement_returns_a_foreign_row(open_connection, attacker, victim, figure):
    leaks, statements = [], [*FORBIDDEN, *PROBES, *COPIES]
    for text in statements:
        statement = (
            text.format(attacker=attacker.id, victim=victim.id, number=NUMBER) if "{victim}" in text else text
        )
        statement = statement.replace("{number}", str(NUMBER))
        with open_connection() as raw:
            output = collect_output(raw, statement).replace(statement, "")
            if contains_canary(output) or count_foreign_rows(raw, victim):
                leaks.append((text, output))
    what = f"statements of an attacker that showed a foreign row, {open_connection.context}"
    assert figure(what, len(leaks), of=len(statements), passes=not leaks and len(statements) >= 40), leaks


def test_the_check_detects_rows_in_every_kind_of_output(victim, actor):
    """Runs the same check on the victim's own connection."""
    with scope(victim, actor=actor) as s:
        raw = s.cursor().connection
        for statement in (
            "SELECT * FROM data_item",
            *COPIES[:2],
            *[probe for probe in PROBES if "RAISE NOTICE" in probe],
        ):
            assert contains_canary(collect_output(raw, statement)), statement
        assert count_foreign_rows(raw, victim) == 1


def test_statements_that_need_more_privileges_are_refused(open_connection, figure):
    executed = []
    for statement in FORBIDDEN:
        with open_connection() as raw:
            try:
                psycopg.Cursor(raw).execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.Error as error:
                executed.append((statement, str(error)))
            else:
                executed.append((statement, "done"))
    what = (
        f"statements that need a right the application lacks and were not refused, {open_connection.context}"
    )
    assert figure(what, len(executed), of=len(FORBIDDEN), passes=not executed), executed


def test_writes_of_the_attacker_change_no_row_of_the_victim(attacker, victim, actor):
    for statement in WRITES:
        sql = statement.format(victim=victim.id, attacker=attacker.id, number=NUMBER)
        with scope(attacker, actor=actor) as s:
            collect_output(s.cursor().connection, f"SAVEPOINT attack; {sql}")
            s.cursor().execute("ROLLBACK TO attack")
    with scope(victim, actor=actor) as s:
        assert s.cursor().execute("SELECT live, item_no FROM data_item").fetchall() == [(True, NUMBER)]


@pytest.mark.parametrize("parameters", ["", "(1)"])
def test_a_cached_plan_applies_the_current_claim(attacker, victim, actor, parameters):
    parameter_types, condition = ("(int)", "WHERE $1 = 1") if parameters else ("", "")
    only_own_rows, pids = [], set()
    for turn in range(12):
        tenant = (attacker, victim)[turn % 2]
        with scope(tenant, actor=actor) as s:
            if turn == 0:
                s.cursor().execute(
                    f"PREPARE shared {parameter_types} AS SELECT tenant_id FROM data_item {condition}"
                )
            rows = s.cursor().execute(f"EXECUTE shared {parameters}").fetchall()
            pids.add(s.cursor().connection.info.backend_pid)
        only_own_rows.append({tenant_id for (tenant_id,) in rows} == {tenant.id})
    connections[ALIAS].connection.close()
    assert (only_own_rows, len(pids)) == ([True] * 12, 1)


def test_no_notification_reaches_a_listener(attacker, victim, actor):
    """The attacker listens on a channel while the victim writes. The application sends no notification."""
    with scope(attacker, actor=actor) as s:
        listener = s.cursor().connection
        listener.execute("LISTEN spy")
    with scope(victim, actor=actor) as s:
        s.cursor().execute("UPDATE data_item SET live = live")
    notifications = list(listener.notifies(timeout=0.1))
    listener.close()
    assert notifications == []


def test_planner_statistics_are_not_readable(attacker, victim, superuser, actor, figure):
    superuser(ALIAS).execute("ANALYZE")
    expected = (
        superuser(ALIAS).execute("SELECT count(*) FROM pg_stats WHERE tablename = 'data_item'").fetchone()[0]
    )
    query = "SELECT tablename, attname FROM pg_stats WHERE schemaname = 'public' AND tablename <> 'django_migrations'"
    with scope(attacker, actor=actor) as s:
        columns = s.cursor().execute(query).fetchall()
    assert expected > 0
    assert figure(
        "columns whose most common values the application's role may read",
        len(columns),
        of=expected,
        passes=not columns,
    )
