"""SQL on the application's own connection, as after an injection, shows no other tenant's row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connections

from tenants.regions import TenantRef
from tenants.scope import scope
from tests.isolation.attacks import ALIAS, COPIES, NUMBER, PROBES, REFUSED, everything_said, shows

pytestmark = pytest.mark.proof(row=5)

FOREIGN = "SELECT count(*) FROM data_item WHERE item_no = %s OR tenant_id = %s"
CHANGES = [probe for probe in PROBES if probe.startswith(("UPDATE", "DELETE", "MERGE", "INSERT"))]


@pytest.fixture(params=["inside a scope", "outside"])
def door(request, mine, actor) -> Any:
    """Opens a connection for one attack, which is thrown away behind it."""

    @contextmanager
    def opened() -> Iterator[psycopg.Connection[Any]]:
        with ExitStack() as stack:
            if request.param == "inside a scope":
                stack.enter_context(pytest.raises(ZeroDivisionError))
                stack.enter_context(scope(mine, actor=actor))
            connections[ALIAS].ensure_connection()
            raw = connections[ALIAS].connection
            try:
                yield raw
                if request.param == "inside a scope":
                    raise ZeroDivisionError
            finally:
                raw.close()
                connections[ALIAS].close()

    opened.where = request.param
    return opened


def foreign_rows(raw: psycopg.Connection[Any], other: TenantRef) -> int:
    """After an attack; a connection that answers no more shows nothing."""
    try:
        return psycopg.Cursor(raw).execute(FOREIGN, (NUMBER, other.id)).fetchone()[0]
    except psycopg.Error:
        return 0


def test_no_statement_shows_a_foreign_row(door, mine, other, figure):
    shown, statements = [], [*REFUSED, *PROBES, *COPIES]
    for text in statements:
        statement = text.format(mine=mine.id, other=other.id, number=NUMBER) if "{other}" in text else text
        statement = statement.replace("{number}", str(NUMBER))
        with door() as raw:
            output = everything_said(raw, statement).replace(statement, "")
            if shows(output) or foreign_rows(raw, other):
                shown.append((text, output))
    what = f"statements of an attacker that showed a foreign row, {door.where}"
    assert figure(what, len(shown), of=len(statements), passes=not shown and len(statements) >= 40), shown


def test_a_leak_would_be_seen(other, actor):
    """The same eyes on the other tenant's own connection."""
    with scope(other, actor=actor) as s:
        raw = s.cursor().connection
        for statement in (
            "SELECT * FROM data_item",
            *COPIES[:2],
            *[probe for probe in PROBES if "RAISE NOTICE" in probe],
        ):
            assert shows(everything_said(raw, statement)), statement
        assert foreign_rows(raw, other) == 1


def test_what_would_open_the_door_is_refused(door, figure):
    allowed = []
    for statement in REFUSED:
        with door() as raw:
            try:
                psycopg.Cursor(raw).execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.Error as error:
                allowed.append((statement, str(error)))
            else:
                allowed.append((statement, "done"))
    what = f"statements that need a right the application lacks and were not refused, {door.where}"
    assert figure(what, len(allowed), of=len(REFUSED), passes=not allowed), allowed


def test_the_other_tenants_rows_are_as_they_were(mine, other, actor):
    for statement in CHANGES:
        sql = statement.format(other=other.id, mine=mine.id, number=NUMBER)
        with scope(mine, actor=actor) as s:
            everything_said(s.cursor().connection, f"SAVEPOINT attack; {sql}")
            s.cursor().execute("ROLLBACK TO attack")
    with scope(other, actor=actor) as s:
        assert s.cursor().execute("SELECT live, item_no FROM data_item").fetchall() == [(True, NUMBER)]


@pytest.mark.parametrize("parameters", ["", "(1)"])
def test_a_cached_plan_answers_each_claim_for_itself(mine, other, actor, parameters):
    typed, bound = ("(int)", "WHERE $1 = 1") if parameters else ("", "")
    seen, pids = [], set()
    for turn in range(12):
        ref = (mine, other)[turn % 2]
        with scope(ref, actor=actor) as s:
            if turn == 0:
                s.cursor().execute(f"PREPARE shared {typed} AS SELECT tenant_id FROM data_item {bound}")
            rows = s.cursor().execute(f"EXECUTE shared {parameters}").fetchall()
            pids.add(s.cursor().connection.info.backend_pid)
        seen.append({probe for (probe,) in rows} == {ref.id})
    connections[ALIAS].connection.close()
    assert (seen, len(pids)) == ([True] * 12, 1)


def test_a_notification_reaches_no_listener(mine, other, actor):
    """A listener hears what is sent; the application sends nothing."""
    with scope(mine, actor=actor) as s:
        listener = s.cursor().connection
        listener.execute("LISTEN spy")
    with scope(other, actor=actor) as s:
        s.cursor().execute("UPDATE data_item SET live = live")
    notifications = list(listener.notifies(timeout=0.1))
    listener.close()
    assert notifications == []


def test_the_planners_statistics_name_no_value(mine, other, superuser, actor, figure):
    superuser(ALIAS).execute("ANALYZE")
    expected = (
        superuser(ALIAS).execute("SELECT count(*) FROM pg_stats WHERE tablename = 'data_item'").fetchone()[0]
    )
    query = "SELECT tablename, attname FROM pg_stats WHERE schemaname = 'public' AND tablename <> 'django_migrations'"
    with scope(mine, actor=actor) as s:
        columns = s.cursor().execute(query).fetchall()
    assert expected > 0
    assert figure(
        "columns whose most common values the application's role may read",
        len(columns),
        of=expected,
        passes=not columns,
    )
