"""No claim reaches the next user of a pooled connection. A lost connection is replaced without a failed request."""

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


def test_a_connection_has_no_claim_after_a_scope(tenant, actor):
    with scope(tenant, actor=actor):
        pass
    assert select_value(CLAIM) == ""


def test_a_session_level_claim_prevents_the_next_scope(tenant, actor):
    select_value("SELECT set_config('app.scope', 'tenant:x', false)")
    with pytest.raises(ScopeNested, match="outlived"), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened on a connection with a leaked claim")


def test_a_connection_with_a_leaked_claim_is_not_reused(tenant, actor):
    select_value("SELECT set_config('app.scope', 'tenant:x', false)")
    leaked_pid = select_value(PID)
    with pytest.raises(ScopeNested), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened on a connection with a leaked claim")
    connections["data_eu"].close()
    with scope(tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != leaked_pid


def test_a_connection_terminated_by_the_server_is_replaced(tenant, actor, superuser, monkeypatch):
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


@pytest.mark.parametrize("change", CHANGES)
def test_an_invalidated_prepared_statement_fails_only_one_call(change, tenant, actor, superuser):
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
        if change == "statements are dropped":
            execute_outside(CHANGES[change])
        else:
            database.execute(CHANGES[change])
        with pytest.raises(StoreUnavailable, match="schema changed in the meantime"):
            select_in_a_scope()
        assert select_in_a_scope() == 1
    finally:
        database.execute("DROP TABLE public.changing")
        execute_outside("DEALLOCATE ALL")


def execute_outside(sql: str) -> None:
    with connections["data_eu"].cursor() as cursor:
        cursor.execute(sql)


def run_in_another_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def run_in_another_context(function: Callable[[], object]) -> None:
    contextvars.copy_context().run(function)


@pytest.mark.parametrize("run_elsewhere", [run_in_another_thread, run_in_another_context])
def test_a_scope_closed_in_another_context_is_closed_in_its_own(
    tenant, stranger_tenant, actor, run_elsewhere
):
    def hold_scope() -> Iterator[int]:
        with scope(tenant, actor=actor) as s:
            yield s.cursor().execute(PID).fetchone()[0]

    def close_body() -> None:
        with pytest.raises(ScopeNested, match="ended outside"):
            body.close()
        errors.append(True)
        connections.close_all()

    errors: list[bool] = []
    body = hold_scope()
    pid = next(body)
    original_connection = connections["data_eu"].connection
    run_elsewhere(close_body)
    assert (errors, original_connection.closed) == ([True], True)
    with pytest.raises(ScopeRequired):
        get_current_scope()
    with scope(stranger_tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != pid
