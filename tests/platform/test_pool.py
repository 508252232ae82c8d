"""A claim never reaches the next borrower of a connection, and a lost connection costs nobody a request."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import connections

from tenants.errors import ScopeNested, ScopeRequired, StoreUnavailable
from tenants.scope import get_current_scope, scope

PID = "SELECT pg_backend_pid()"
CLAIM = "SELECT coalesce(current_setting('app.scope', true), '')"


def select_value(sql: str) -> object:
    with connections["data_eu"].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_after_a_scope_the_connection_is_clean(tenant, actor):
    with scope(tenant, actor=actor):
        pass
    assert select_value(CLAIM) == ""


def test_a_claim_that_was_set_for_the_session_stops_the_next_scope(tenant, actor):
    select_value("SELECT set_config('app.scope', 'tenant:x', false)")
    with pytest.raises(ScopeNested, match="outlived"), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened on a spoiled connection")


def test_a_spoiled_connection_is_not_used_again(tenant, actor):
    select_value("SELECT set_config('app.scope', 'tenant:x', false)")
    spoiled = select_value(PID)
    with pytest.raises(ScopeNested), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened on a spoiled connection")
    connections["data_eu"].close()
    with scope(tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != spoiled


def test_a_connection_that_its_server_ended_is_replaced(tenant, actor, superuser, monkeypatch):
    with scope(tenant, actor=actor) as s:
        pid = s.cursor().execute(PID).fetchone()[0]
    superuser("data_eu").execute("SELECT pg_terminate_backend(%s)", (pid,))
    monkeypatch.setattr("tenants.connections._IDLE_SECONDS", 0.0)
    with scope(tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != pid


CHANGES = {
    "a column gets another type": "ALTER TABLE public.changing ALTER n TYPE bigint",
    "statements are dropped": "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_prepared_statement_that_no_longer_holds_costs_one_call(what, tenant, actor, superuser):
    def select_in_a_scope() -> object:
        with scope(tenant, actor=actor) as s:
            return (
                s.cursor()
                .execute("SELECT n FROM public.changing WHERE n > %s", (0,), prepare=True)
                .fetchone()[0]
            )

    database = superuser("data_eu")
    database.execute("CREATE TABLE public.changing AS SELECT 1 AS n")
    database.execute("GRANT SELECT ON public.changing TO lepton_app")
    try:
        assert select_in_a_scope() == 1
        if what == "statements are dropped":
            execute_outside(CHANGES[what])
        else:
            database.execute(CHANGES[what])
        with pytest.raises(StoreUnavailable, match="schema changed in the meantime"):
            select_in_a_scope()
        assert select_in_a_scope() == 1
    finally:
        database.execute("DROP TABLE public.changing")
        execute_outside("DEALLOCATE ALL")


def execute_outside(sql: str) -> None:
    with connections["data_eu"].cursor() as cursor:
        cursor.execute(sql)


def in_another_thread(act: Callable[[], object]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def in_another_context(act: Callable[[], object]) -> None:
    contextvars.copy_context().run(act)


@pytest.mark.parametrize("elsewhere", [in_another_thread, in_another_context])
def test_a_scope_that_ends_elsewhere_is_over_where_it_began(tenant, stranger_tenant, actor, elsewhere):
    def half() -> Iterator[int]:
        with scope(tenant, actor=actor) as s:
            yield s.cursor().execute(PID).fetchone()[0]

    def close() -> None:
        with pytest.raises(ScopeNested, match="ended outside"):
            body.close()
        errors.append(True)
        connections.close_all()

    errors: list[bool] = []
    body = half()
    pid = next(body)
    lost = connections["data_eu"].connection
    elsewhere(close)
    assert (errors, lost.closed) == ([True], True)
    with pytest.raises(ScopeRequired):
        get_current_scope()
    with scope(stranger_tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != pid
