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

from lepton_platform.demo.loading import ACTOR, DemoProgressCallback
from recommender.registry import queries as registry
from tenants.data.actions import jobs as job_actions
from tenants.data.queries import jobs
from tenants.data.types import JobView
from tenants.regions import TenantRef
from tenants.scope import scope

POLL_SECONDS = 0.3
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class TrainingRequest:
    """A training that was asked for."""

    name: str
    tenant: TenantRef
    job_id: UUID


def request_training(name: str, tenant: TenantRef) -> TrainingRequest | None:
    """None where a training has ended in a version before; a worker may start at once."""
    with scope(tenant, actor=ACTOR) as s:
        if registry.list_versions(s, limit=1):
            return None
        return TrainingRequest(
            name, tenant, job_actions.request_job(s, "train", parameters={"profile": "fast"}).id
        )


def wait_for_trainings(
    training_requests: Sequence[TrainingRequest], report: DemoProgressCallback
) -> list[str]:
    """Returns when no training is open; one line for each that failed."""
    if not training_requests:
        return []
    here = _InlineWorker(training_requests)
    here.start()
    try:
        ended = [
            _wait_for_job(lesson, here, _scale_progress(report, number, len(training_requests)))
            for number, lesson in enumerate(training_requests)
        ]
    finally:
        here.stop_event.set()
    return [
        f"{lesson.name}: {job.reason}"
        for lesson, job in zip(training_requests, ended, strict=True)
        if job.state != "succeeded"
    ]


class _InlineWorker(threading.Thread):
    """Takes, one after the other, the jobs that no worker has; also those whose worker was lost."""

    def __init__(self, training_requests: Sequence[TrainingRequest]) -> None:
        super().__init__(name="demo-training", daemon=True)
        self.training_requests, self.stop_event = training_requests, threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stop_event.wait(RETRY_SECONDS):
                for lesson in self.training_requests:
                    _run_training(lesson)
        except Exception as fault:
            self.error = fault
        finally:
            connections.close_all()


def _run_training(training_request: TrainingRequest) -> None:
    """Does nothing when the job is over or another process has it."""
    from recommender.training.job_runner import run_training_job  # noqa: PLC0415 - torch loads only where something is trained

    run_training_job(
        training_request.tenant,
        training_request.job_id,
        owner=f"demo@{socket.gethostname()}:{os.getpid()}",
        actor=ACTOR,
    )


def _wait_for_job(
    training_request: TrainingRequest, worker: _InlineWorker, report: DemoProgressCallback
) -> JobView:
    while worker.error is None:
        with scope(training_request.tenant, actor=ACTOR) as s:
            job = jobs.get_job(s, training_request.job_id)
        if job.state not in {"queued", "running"}:
            return job
        report(f"{training_request.name}: training, {job.phase or 'waiting'}", job.percent / 100)
        time.sleep(POLL_SECONDS)
    raise worker.error


def _scale_progress(report: DemoProgressCallback, index: int, n_parts: int) -> DemoProgressCallback:
    return lambda text, fraction: report(text, (index + fraction) / n_parts)
