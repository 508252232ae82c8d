"""A first model for each demo tenant, made by a worker or by this process, whoever is free first."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
    with ThreadPoolExecutor(1, thread_name_prefix="demo-training") as here:
        for lesson in lessons:
            here.submit(_work, lesson)
        ended = [_awaited(lesson, number, len(lessons), report) for number, lesson in enumerate(lessons)]
    return [
        f"{lesson.name}: {job.reason}"
        for lesson, job in zip(lessons, ended, strict=True)
        if job.state != "succeeded"
    ]


def _work(lesson: Lesson) -> None:
    """Does nothing when a worker has the job already."""
    from recommender.training.work import work  # noqa: PLC0415 - torch loads only where something is trained

    try:
        work(lesson.tenant, lesson.job_id, owner=f"demo@{socket.gethostname()}:{os.getpid()}", actor=ACTOR)
    finally:
        connections.close_all()


def _awaited(lesson: Lesson, number: int, lessons: int, report: Report) -> JobView:
    while True:
        with scope(lesson.tenant, actor=ACTOR) as s:
            job = jobs.job(s, lesson.job_id)
        if job.state not in {"queued", "running"}:
            return job
        report(f"{lesson.name}: training, {job.phase or 'waiting'}", (number + job.percent / 100) / lessons)
        time.sleep(POLL_SECONDS)
