"""Where code may run that forgot its scope: each is entered behind a scope that was open a moment before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from celery import shared_task
from django.db import connections, transaction

from tenants.regions import TenantRef, get_data_alias
from tenants.scope import Actor, scope
from tests.isolation.site import STREAMS
from tests.isolation.wsgi import answered

Work = Callable[[], None]
ACTOR = Actor("system", "test")
SECONDS = 30
_waiting: list[tuple[Work, threading.Event]] = []


def in_autocommit(work: Work, **_given: Any) -> None:
    work()


def after_a_savepoint(work: Work, *, tenant: TenantRef, **_given: Any) -> None:
    """Releasing a savepoint keeps a transaction-local setting; the end of the scope must not."""
    with scope(tenant, actor=ACTOR) as s, transaction.atomic(using=s.alias):
        s.cursor().execute("SELECT count(*) FROM data_item")
    work()


def in_a_transaction(work: Work, *, tenant: TenantRef, **_given: Any) -> None:
    """A transaction without a scope, with a savepoint behind it that was rolled back."""
    alias = get_data_alias(tenant.region)
    with transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            transaction.set_rollback(True, using=alias)
        work()


def in_another_thread(work: Work, *, tenant: TenantRef, **_given: Any) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    with scope(tenant, actor=ACTOR):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    if failed:
        raise failed[0]


def in_a_stream(work: Work, *, application: Any, tenant: TenantRef, **_given: Any) -> None:
    """The view's scope has ended when the body of its answer is made."""

    def body() -> Iterator[bytes]:
        with scope(tenant, actor=ACTOR):
            yield b"in the scope"
        work()
        yield b"behind it"

    STREAMS["circumstance"] = body
    with answered(application, "/api/v1/streams/circumstance") as answer:
        assert answer.rest() == b"in the scopebehind it"


@shared_task(name="isolation.circumstance")  # type: ignore[untyped-decorator]  # celery has no types
def circumstance() -> None:
    work, done = _waiting.pop()
    try:
        work()
    finally:
        done.set()


def in_a_task(work: Work, *, tenant: TenantRef, **_given: Any) -> None:
    """Needs a running worker."""
    failed: list[BaseException] = []
    done = threading.Event()

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    _waiting.append((guarded, done))
    with scope(tenant, actor=ACTOR):
        circumstance.delay()
        assert done.wait(SECONDS), "no worker took the task"
    if failed:
        raise failed[0]


CIRCUMSTANCES = [
    in_autocommit,
    after_a_savepoint,
    in_a_transaction,
    in_another_thread,
    in_a_stream,
    in_a_task,
]
