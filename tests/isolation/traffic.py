"""Requests and tasks of several tenants, some of which raise or are cancelled, that look at what they see."""

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
from tests.isolation.site import STREAMS
from tests.isolation.wsgi import Answer, answered

ACTOR = Actor("system", "traffic")
ITEMS = 6
# Only the claim narrows it: a first lock in the query would hide what the others let through.
OWNERS = "SELECT tenant_id FROM data_item"


class Broken(Exception):
    """Raised on purpose."""


class Killed(BaseException):
    """Raised in a thread from outside."""


@dataclass(frozen=True)
class Client:
    ref: TenantRef
    key: str
    prefix: str


@dataclass
class Traffic:
    application: Any
    clients: list[Client]
    superuser: Callable[[], psycopg.Connection[Any]]
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    survived: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    tasks_ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def turn(self, kind: str, client: Client, other: Client) -> None:
        """One request or task from its beginning to the return of its connections."""
        try:
            TURNS[kind](self, client, other)
        except Exception as error:
            self.unexpected.append(f"{kind}: {error!r}")
        finally:
            close_old_connections()
            self.look_for_survivors(kind)
            self.done[kind] += 1

    def look_for_survivors(self, kind: str) -> None:
        open_aliases = [row.alias for row in connections.all(initialized_only=True) if row.in_atomic_block]
        if open_aliases or list_open_scopes():
            self.survived.append(f"{kind}: {open_aliases} {list_open_scopes()}")

    def expect_own(self, kind: str, client: Client, owners: list[Any], *, whole: bool = True) -> None:
        """Rows that are not the client's, and rows that are missing, are wrong."""
        if set(owners) - {client.ref.id} or (whole and len(owners) != ITEMS):
            self.wrong.append(f"{kind}: {len(owners)} rows of {set(owners)}")

    def rows(self, kind: str, client: Client, s: Scope) -> None:
        self.expect_own(kind, client, [row for (row,) in s.cursor().execute(OWNERS).fetchall()])


def page(traffic: Traffic, client: Client, _other: Client) -> None:
    with answered(traffic.application, "/api/v1/items?limit=50", key=client.key) as answer:
        item_ids = {item["id"] for item in json.loads(answer.rest())["data"]}
    if answer.status != 200 or item_ids != {f"{client.prefix}-{n}" for n in range(ITEMS)}:
        traffic.wrong.append(f"page: {answer.status} {item_ids}")


def plain(traffic: Traffic, client: Client, _other: Client) -> None:
    with scope(client.ref, actor=ACTOR) as s:
        traffic.rows("plain", client, s)


def owners_of(client: Client) -> Iterator[bytes]:
    """A body that is made inside a scope, row by row."""
    with scope(client.ref, actor=ACTOR) as s:
        for (owner,) in s.cursor().execute(OWNERS):
            yield f"{owner}\n".encode()


def begun(traffic: Traffic, client: Client) -> Answer:
    name = f"{client.prefix}-{threading.get_ident()}"
    STREAMS[name] = lambda: owners_of(client)
    return Answer(traffic.application, f"/api/v1/streams/{name}")


def read_to_the_end(traffic: Traffic, client: Client, answer: Answer, first: bytes = b"") -> None:
    owners = (first + answer.rest()).decode().split()
    answer.close()
    traffic.expect_own("stream", client, [UUID(owner) for owner in owners])


def stream(traffic: Traffic, client: Client, _other: Client) -> None:
    read_to_the_end(traffic, client, begun(traffic, client))


def stream_late(traffic: Traffic, client: Client, other: Client) -> None:
    """The body is read after another tenant's work, on the same thread."""
    answer = begun(traffic, client)
    plain(traffic, other, client)
    read_to_the_end(traffic, client, answer)


def stream_between(traffic: Traffic, client: Client, other: Client) -> None:
    """Another tenant's work between two chunks is refused, not done in the wrong space."""
    answer = begun(traffic, client)
    chunk = answer.chunk()
    try:
        plain(traffic, other, client)
        traffic.wrong.append("stream_between: a second scope was opened")
    except ScopeNested:
        read_to_the_end(traffic, client, answer, chunk)


def hang_up(traffic: Traffic, client: Client, _other: Client) -> None:
    answer = begun(traffic, client)
    traffic.expect_own("hang_up", client, [UUID(answer.chunk().decode().strip())], whole=False)
    answer.close()


def drop(traffic: Traffic, client: Client, _other: Client) -> None:
    """A generator that nobody closes, only forgets."""
    half = owners_of(client)
    next(half)
    del half


def broken(traffic: Traffic, client: Client, _other: Client) -> None:
    try:
        with scope(client.ref, actor=ACTOR) as s:
            traffic.rows("broken", client, s)
            raise Broken
    except Broken:
        pass


def broken_sql(traffic: Traffic, client: Client, _other: Client) -> None:
    try:
        with scope(client.ref, actor=ACTOR) as s:
            s.cursor().execute("SELECT 1 / 0")
    except psycopg.errors.DivisionByZero:
        pass


def broken_savepoint(traffic: Traffic, client: Client, _other: Client) -> None:
    with scope(client.ref, actor=ACTOR) as s:
        try:
            with transaction.atomic(using=s.alias):
                s.cursor().execute("SELECT 1 / 0")
        except psycopg.errors.DivisionByZero:
            traffic.rows("broken_savepoint", client, s)


def broken_commit(traffic: Traffic, client: Client, _other: Client) -> None:
    """The server ends the session when everything is done but the COMMIT."""
    try:
        with scope(client.ref, actor=ACTOR) as s:
            traffic.rows("broken_commit", client, s)
            pid = s.cursor().connection.info.backend_pid
            with traffic.superuser() as database:
                database.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        traffic.wrong.append("broken_commit: a lost commit was not said")
    except StoreUnavailable:
        pass


def cancelled(traffic: Traffic, client: Client, _other: Client) -> None:
    """One cancel, sent when the statement sleeps, so that it meets no other."""
    try:
        with scope(client.ref, actor=ACTOR) as s:
            pid = s.cursor().connection.info.backend_pid
            canceller = threading.Thread(target=_cancel, args=(traffic, pid))
            canceller.start()
            s.cursor().execute("SELECT pg_sleep(20), count(*) FROM data_item")
    except psycopg.errors.QueryCanceled:
        canceller.join()
    else:
        traffic.wrong.append("cancelled: the statement went on")


def _cancel(traffic: Traffic, pid: int) -> None:
    asleep = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    with traffic.superuser() as database:
        while not database.execute(asleep, (pid,)).fetchall():
            pass


def killed(traffic: Traffic, client: Client, _other: Client) -> None:
    """A thread that dies somewhere inside its scope; its server gives its connections back."""
    inside: queue.SimpleQueue[int] = queue.SimpleQueue()

    def work() -> None:
        try:
            with scope(client.ref, actor=ACTOR) as s:
                inside.put(threading.get_ident())
                while True:
                    traffic.rows("killed", client, s)
        except Killed:
            traffic.look_for_survivors("killed")
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(inside.get()), ctypes.py_object(Killed))
    thread.join()


_running: list[Traffic] = []


@shared_task(name="isolation.visit", bind=True, max_retries=2)  # type: ignore[untyped-decorator]  # celery has no types
def visit(self: Any, *, number: int, how: str) -> None:
    """`retried` fails inside its scope the first time; `raised` every time, as far as the worker knows."""
    traffic = _running[-1]
    client = traffic.clients[number]
    try:
        with scope(client.ref, actor=ACTOR) as s:
            traffic.rows(how, client, s)
            if how == "retried" and self.request.retries == 0:
                raise self.retry(countdown=0)
            if how == "raised":
                raise Broken
    finally:
        traffic.look_for_survivors(how)
        if how != "retried" or self.request.retries:
            traffic.tasks_ended.release()


def sent(how: str) -> Callable[[Traffic, Client, Client], None]:
    def send(traffic: Traffic, client: Client, _other: Client) -> None:
        _running[:] = [traffic]
        visit.delay(number=traffic.clients.index(client), how=how)

    return send


TURNS: dict[str, Callable[[Traffic, Client, Client], None]] = {
    "page": page,
    "plain": plain,
    "stream": stream,
    "stream late": stream_late,
    "stream between": stream_between,
    "task": sent("plain"),
    "task retried": sent("retried"),
    "raising": broken,
    "raising in SQL": broken_sql,
    "raising in a savepoint": broken_savepoint,
    "raising at commit": broken_commit,
    "raising in a task": sent("raised"),
    "client hangs up": hang_up,
    "body forgotten": drop,
    "statement cancelled": cancelled,
    "thread killed": killed,
}
SHARES = {
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
