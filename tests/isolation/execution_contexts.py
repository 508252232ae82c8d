"""Execution contexts for code that lacks a scope. In most of them a scope was open just before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from celery import shared_task
from django.db import connections, transaction

from tenants.regions import TenantRef, get_data_alias
from tenants.scope import Actor, scope
from tests.isolation.streaming_urls import STREAMS
from tests.isolation.wsgi_response import open_response

Work = Callable[[], None]
ACTOR = Actor("system", "test")
TIMEOUT_SECONDS = 30
_waiting_work: list[tuple[Work, threading.Event]] = []


def run_in_autocommit(work: Work, **_options: Any) -> None:
    work()


def run_after_a_savepoint(work: Work, *, tenant: TenantRef, **_options: Any) -> None:
    """Releasing a savepoint keeps a transaction-local setting. The end of the scope must clear it."""
    with scope(tenant, actor=ACTOR) as s, transaction.atomic(using=s.alias):
        s.cursor().execute("SELECT count(*) FROM data_item")
    work()


def run_in_a_transaction(work: Work, *, tenant: TenantRef, **_options: Any) -> None:
    """Runs in a transaction without a scope, after a savepoint was rolled back."""
    alias = get_data_alias(tenant.region)
    with transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            transaction.set_rollback(True, using=alias)
        work()


def run_in_another_thread(work: Work, *, tenant: TenantRef, **_options: Any) -> None:
    errors: list[BaseException] = []

    def record_error() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    with scope(tenant, actor=ACTOR):
        thread = threading.Thread(target=record_error)
        thread.start()
        thread.join()
    if errors:
        raise errors[0]


def run_in_a_stream(work: Work, *, application: Any, tenant: TenantRef, **_options: Any) -> None:
    """Runs while the response body is streamed, after the scope of the view has ended."""

    def iter_body() -> Iterator[bytes]:
        with scope(tenant, actor=ACTOR):
            yield b"in the scope"
        work()
        yield b"after the scope"

    STREAMS["circumstance"] = iter_body
    with open_response(application, "/api/v1/streams/circumstance") as response:
        assert response.read_remaining() == b"in the scopeafter the scope"


@shared_task(name="isolation.circumstance")  # type: ignore[untyped-decorator]  # celery has no types
def run_waiting_work() -> None:
    work, done = _waiting_work.pop()
    try:
        work()
    finally:
        done.set()


def run_in_a_task(work: Work, *, tenant: TenantRef, **_options: Any) -> None:
    """Runs in a Celery task. Needs a running worker."""
    errors: list[BaseException] = []
    done = threading.Event()

    def record_error() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    _waiting_work.append((record_error, done))
    with scope(tenant, actor=ACTOR):
        run_waiting_work.delay()
        assert done.wait(TIMEOUT_SECONDS), "no worker took the task"
    if errors:
        raise errors[0]


EXECUTION_CONTEXTS = [
    run_in_autocommit,
    run_after_a_savepoint,
    run_in_a_transaction,
    run_in_another_thread,
    run_in_a_stream,
    run_in_a_task,
]


def get_context_label(run_context: Callable[..., None]) -> str:
    """The name of an execution context in test IDs and figures."""
    return run_context.__name__.removeprefix("run_")
