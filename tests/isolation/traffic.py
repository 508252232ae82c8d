"""Requests and tasks of several tenants that check the rows they read. Some raise an error or are cancelled."""

from __future__ import annotations

import ctypes
import json
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from celery import shared_task
from django.db import close_old_connections, connections, transaction

from tenants.errors import ScopeNested, StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, list_open_scopes, scope
from tests.isolation.streaming_urls import STREAMS
from tests.isolation.wsgi_response import WsgiResponse, open_response

ACTOR = Actor("system", "traffic")
ITEMS = 6
# The query has no tenant condition, which would hide a failure of the claim or the policies.
OWNERS = "SELECT tenant_id FROM data_item"


class DeliberateError(Exception):
    """Raised on purpose."""


class ThreadKilled(BaseException):
    """Raised in a thread from outside."""


@dataclass(frozen=True)
class TrafficClient:
    tenant: TenantRef
    key: str
    prefix: str


@dataclass
class Traffic:
    application: Any
    clients: list[TrafficClient]
    superuser: Callable[[], psycopg.Connection[Any]]
    turn_counts: Counter[str] = field(default_factory=Counter)
    row_errors: list[str] = field(default_factory=list)
    leaked_scopes: list[str] = field(default_factory=list)
    unexpected_errors: list[str] = field(default_factory=list)
    tasks_ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def run_turn(self, kind: str, client: TrafficClient, other: TrafficClient) -> None:
        """Runs one request or task, up to the return of its connections."""
        try:
            TURNS[kind](self, client, other)
        except Exception as error:
            self.unexpected_errors.append(f"{kind}: {error!r}")
        finally:
            close_old_connections()
            self.record_open_scopes(kind)
            self.turn_counts[kind] += 1

    def record_open_scopes(self, kind: str) -> None:
        open_aliases = [c.alias for c in connections.all(initialized_only=True) if c.in_atomic_block]
        if open_aliases or list_open_scopes():
            self.leaked_scopes.append(f"{kind}: {open_aliases} {list_open_scopes()}")

    def check_owners(
        self, kind: str, client: TrafficClient, owners: list[Any], *, complete: bool = True
    ) -> None:
        """Records foreign rows, and also missing rows if `complete`."""
        if set(owners) - {client.tenant.id} or (complete and len(owners) != ITEMS):
            self.row_errors.append(f"{kind}: {len(owners)} rows of {set(owners)}")

    def check_rows(self, kind: str, client: TrafficClient, s: Scope) -> None:
        self.check_owners(kind, client, [owner for (owner,) in s.cursor().execute(OWNERS).fetchall()])


def request_items(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    with open_response(traffic.application, "/api/v1/items?limit=50", key=client.key) as response:
        item_ids = {item["id"] for item in json.loads(response.read_remaining())["data"]}
    if response.status != 200 or item_ids != {f"{client.prefix}-{n}" for n in range(ITEMS)}:
        traffic.row_errors.append(f"request_items: {response.status} {item_ids}")


def read_rows(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    with scope(client.tenant, actor=ACTOR) as s:
        traffic.check_rows("read_rows", client, s)


def iter_owners(client: TrafficClient) -> Iterator[bytes]:
    """A response body that is generated inside a scope, row by row."""
    with scope(client.tenant, actor=ACTOR) as s:
        for (owner,) in s.cursor().execute(OWNERS):
            yield f"{owner}\n".encode()


def start_stream(traffic: Traffic, client: TrafficClient) -> WsgiResponse:
    name = f"{client.prefix}-{threading.get_ident()}"
    STREAMS[name] = lambda: iter_owners(client)
    return WsgiResponse(traffic.application, f"/api/v1/streams/{name}")


def finish_stream(traffic: Traffic, client: TrafficClient, response: WsgiResponse, head: bytes = b"") -> None:
    owners = (head + response.read_remaining()).decode().split()
    response.close()
    traffic.check_owners("read_stream", client, [UUID(owner) for owner in owners])


def read_stream(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    finish_stream(traffic, client, start_stream(traffic, client))


def read_stream_after_other_tenant(traffic: Traffic, client: TrafficClient, other: TrafficClient) -> None:
    """Reads the body after another tenant's work on the same thread."""
    response = start_stream(traffic, client)
    read_rows(traffic, other, client)
    finish_stream(traffic, client, response)


def open_scope_between_chunks(traffic: Traffic, client: TrafficClient, other: TrafficClient) -> None:
    """Another tenant's work between two chunks is refused instead of running in the wrong scope."""
    response = start_stream(traffic, client)
    chunk = response.read_chunk()
    try:
        read_rows(traffic, other, client)
        traffic.row_errors.append("open_scope_between_chunks: a second scope was opened")
    except ScopeNested:
        finish_stream(traffic, client, response, chunk)


def close_stream_early(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    response = start_stream(traffic, client)
    traffic.check_owners(
        "close_stream_early", client, [UUID(response.read_chunk().decode().strip())], complete=False
    )
    response.close()


def discard_generator(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    """Drops the last reference to a generator without closing it."""
    generator = iter_owners(client)
    next(generator)
    del generator


def raise_in_scope(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    try:
        with scope(client.tenant, actor=ACTOR) as s:
            traffic.check_rows("raise_in_scope", client, s)
            raise DeliberateError
    except DeliberateError:
        pass


def raise_in_sql(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    try:
        with scope(client.tenant, actor=ACTOR) as s:
            s.cursor().execute("SELECT 1 / 0")
    except psycopg.errors.DivisionByZero:
        pass


def raise_in_savepoint(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    with scope(client.tenant, actor=ACTOR) as s:
        try:
            with transaction.atomic(using=s.alias):
                s.cursor().execute("SELECT 1 / 0")
        except psycopg.errors.DivisionByZero:
            traffic.check_rows("raise_in_savepoint", client, s)


def terminate_before_commit(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    """The server terminates the session just before the COMMIT."""
    try:
        with scope(client.tenant, actor=ACTOR) as s:
            traffic.check_rows("terminate_before_commit", client, s)
            pid = s.cursor().connection.info.backend_pid
            with traffic.superuser() as database:
                database.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        traffic.row_errors.append("terminate_before_commit: a lost commit was not reported")
    except StoreUnavailable:
        pass


def cancel_statement(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    """Cancels the statement once, while it sleeps, so that no other statement is cancelled."""
    try:
        with scope(client.tenant, actor=ACTOR) as s:
            pid = s.cursor().connection.info.backend_pid
            canceller = threading.Thread(target=_cancel_when_asleep, args=(traffic, pid))
            canceller.start()
            s.cursor().execute("SELECT pg_sleep(20), count(*) FROM data_item")
    except psycopg.errors.QueryCanceled:
        canceller.join()
    else:
        traffic.row_errors.append("cancel_statement: the statement was not cancelled")


def _cancel_when_asleep(traffic: Traffic, pid: int) -> None:
    asleep = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    with traffic.superuser() as database:
        while not database.execute(asleep, (pid,)).fetchall():
            pass


def kill_thread(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
    """Kills a thread at a random point inside its scope. The thread then returns its connections."""
    thread_ids: queue.SimpleQueue[int] = queue.SimpleQueue()

    def read_until_killed() -> None:
        try:
            with scope(client.tenant, actor=ACTOR) as s:
                thread_ids.put(threading.get_ident())
                while True:
                    traffic.check_rows("kill_thread", client, s)
        except ThreadKilled:
            traffic.record_open_scopes("kill_thread")
        finally:
            connections.close_all()

    thread = threading.Thread(target=read_until_killed)
    thread.start()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_ids.get()), ctypes.py_object(ThreadKilled)
    )
    thread.join()


_running_traffic: list[Traffic] = []


@shared_task(name="isolation.visit", bind=True, max_retries=2)  # type: ignore[untyped-decorator]  # celery has no types
def read_rows_in_task(self: Any, *, number: int, mode: str) -> None:
    """Reads rows. Mode `retried` fails inside the scope on the first attempt, `raised` on every attempt."""
    traffic = _running_traffic[-1]
    client = traffic.clients[number]
    try:
        with scope(client.tenant, actor=ACTOR) as s:
            traffic.check_rows(mode, client, s)
            if mode == "retried" and self.request.retries == 0:
                raise self.retry(countdown=0)
            if mode == "raised":
                raise DeliberateError
    finally:
        traffic.record_open_scopes(mode)
        if mode != "retried" or self.request.retries:
            traffic.tasks_ended.release()


def build_task_turn(mode: str) -> Callable[[Traffic, TrafficClient, TrafficClient], None]:
    def send_task(traffic: Traffic, client: TrafficClient, _other: TrafficClient) -> None:
        _running_traffic[:] = [traffic]
        read_rows_in_task.delay(number=traffic.clients.index(client), mode=mode)

    return send_task


TURNS: dict[str, Callable[[Traffic, TrafficClient, TrafficClient], None]] = {
    "page": request_items,
    "plain": read_rows,
    "stream": read_stream,
    "stream late": read_stream_after_other_tenant,
    "stream between": open_scope_between_chunks,
    "task": build_task_turn("plain"),
    "task retried": build_task_turn("retried"),
    "raising": raise_in_scope,
    "raising in SQL": raise_in_sql,
    "raising in a savepoint": raise_in_savepoint,
    "raising at commit": terminate_before_commit,
    "raising in a task": build_task_turn("raised"),
    "client hangs up": close_stream_early,
    "body forgotten": discard_generator,
    "statement cancelled": cancel_statement,
    "thread killed": kill_thread,
}
TRAFFIC_MIX = {
    "page": 0.35,
    "plain": 0.24,
    "stream": 0.05,
    "stream late": 0.05,
    "stream between": 0.02,
    "task": 0.10,
    "task retried": 0.04,
    "raising": 0.03,
    "raising in SQL": 0.03,
    "raising in a savepoint": 0.015,
    "raising at commit": 0.01,
    "raising in a task": 0.015,
    "client hangs up": 0.02,
    "body forgotten": 0.01,
    "statement cancelled": 0.01,
    "thread killed": 0.01,
}
