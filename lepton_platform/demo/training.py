"""A first model for each demo tenant, made by a worker or by this process, whoever is free first."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connections

from lepton_platform.demo.loading import ACTOR, Report
from recommender.registry import queries as registry
from tenants.data.actions import jobs as job_actions
from tenants.data.queries import jobs
from tenants.data.types import JobView
from tenants.regions import TenantRef
from tenants.scope import scope

POLL_SECONDS = 0.3
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Lesson:
    """A training that was asked for."""

    name: str
    tenant: TenantRef
    job_id: UUID


def request(name: str, tenant: TenantRef) -> Lesson | None:
    """None where a training has ended in a version before; a worker may start at once."""
    with scope(tenant, actor=ACTOR) as s:
        if registry.versions(s, limit=1):
            return None
        return Lesson(name, tenant, job_actions.request_job(s, "train", parameters={"profile": "fast"}).id)


def finish(lessons: Sequence[Lesson], report: Report) -> list[str]:
    """Returns when no training is open; one line for each that failed."""
    if not lessons:
        return []
    here = _Here(lessons)
    here.start()
    try:
        ended = [
            _awaited(lesson, here, _part(report, number, len(lessons)))
            for number, lesson in enumerate(lessons)
        ]
    finally:
        here.stop.set()
    return [
        f"{lesson.name}: {job.reason}"
        for lesson, job in zip(lessons, ended, strict=True)
        if job.state != "succeeded"
    ]


class _Here(threading.Thread):
    """Takes, one after the other, the jobs that no worker has; also those whose worker was lost."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        super().__init__(name="demo-training", daemon=True)
        self.lessons, self.stop = lessons, threading.Event()
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stop.wait(RETRY_SECONDS):
                for lesson in self.lessons:
                    _work(lesson)
        except Exception as fault:
            self.fault = fault
        finally:
            connections.close_all()


def _work(lesson: Lesson) -> None:
    """Does nothing when the job is over or another process has it."""
    from recommender.training.work import work  # noqa: PLC0415 - torch loads only where something is trained

    work(lesson.tenant, lesson.job_id, owner=f"demo@{socket.gethostname()}:{os.getpid()}", actor=ACTOR)


def _awaited(lesson: Lesson, here: _Here, report: Report) -> JobView:
    while here.fault is None:
        with scope(lesson.tenant, actor=ACTOR) as s:
            job = jobs.job(s, lesson.job_id)
        if job.state not in {"queued", "running"}:
            return job
        report(f"{lesson.name}: training, {job.phase or 'waiting'}", job.percent / 100)
        time.sleep(POLL_SECONDS)
    raise here.fault


def _part(report: Report, number: int, parts: int) -> Report:
    return lambda text, fraction: report(text, (number + fraction) / parts)
