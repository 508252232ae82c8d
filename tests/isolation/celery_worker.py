"""A Celery worker in this process, with broker, consumer, threads and Django's fixup as in production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery.contrib.testing.worker import start_worker
from celery.fixups.django import DjangoWorkerFixup

from lepton_platform.celery import PLATFORM_QUEUE, app


@contextmanager
def run_worker(threads: int) -> Iterator[None]:
    """Consumes the platform's queue with `threads` concurrent tasks."""
    fixup = DjangoWorkerFixup(app)
    fixup.install()
    with start_worker(
        app,
        pool="threads",
        concurrency=threads,
        queues=[PLATFORM_QUEUE],
        perform_ping_check=False,
        loglevel="ERROR",
    ):
        yield
