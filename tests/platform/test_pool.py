"""A claim never reaches the next borrower of a connection, and a lost connection costs nobody a request."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import connections

from tenants.errors import ScopeNested, ScopeRequired
from tenants.scope import current_scope, scope

PID = "SELECT pg_backend_pid()"
CLAIM = "SELECT coalesce(current_setting('app.scope', true), '')"


def asked(sql: str) -> object:
    with connections["data_eu"].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_after_a_scope_the_connection_is_clean(tenant, actor):
    with scope(tenant, actor=actor):
        pass
    assert asked(CLAIM) == ""


def test_a_claim_that_was_set_for_the_session_stops_the_next_scope(tenant, actor):
    asked("SELECT set_config('app.scope', 'tenant:x', false)")
    with pytest.raises(ScopeNested, match="outlived"), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened on a spoiled connection")


def test_a_spoiled_connection_is_not_used_again(tenant, actor):
    asked("SELECT set_config('app.scope', 'tenant:x', false)")
    spoiled = asked(PID)
    with pytest.raises(ScopeNested), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened on a spoiled connection")
    connections["data_eu"].close()
    with scope(tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != spoiled


def test_a_connection_that_its_server_ended_is_replaced(tenant, actor, superuser, monkeypatch):
    with scope(tenant, actor=actor) as s:
        pid = s.cursor().execute(PID).fetchone()[0]
    superuser("data_eu").execute("SELECT pg_terminate_backend(%s)", (pid,))
    monkeypatch.setattr("tenants.scope._IDLE_SECONDS", 0.0)
    with scope(tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != pid


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
        told.append(True)
        connections.close_all()

    told: list[bool] = []
    body = half()
    pid = next(body)
    lost = connections["data_eu"].connection
    elsewhere(close)
    assert (told, lost.closed) == ([True], True)
    with pytest.raises(ScopeRequired):
        current_scope()
    with scope(stranger_tenant, actor=actor) as s:
        assert s.cursor().execute(PID).fetchone()[0] != pid
