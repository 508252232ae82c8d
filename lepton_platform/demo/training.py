"""Trains a first model for each demo tenant, in a worker or in this process, whichever is free first."""

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
    """A queued training job; `name` is the tenant's, for messages."""

    name: str
    tenant: TenantRef
    job_id: UUID


def request_training(name: str, tenant: TenantRef) -> TrainingRequest | None:
    """Queues a training; None if the tenant has a model version already."""
    with scope(tenant, actor=ACTOR) as s:
        if registry.list_versions(s, limit=1):
            return None
        job = job_actions.request_job(s, "train", parameters={"profile": "fast"})
    return TrainingRequest(name, tenant, job.id)


def wait_for_trainings(
    training_requests: Sequence[TrainingRequest], report: DemoProgressCallback
) -> list[str]:
    """Waits until all jobs have ended.

    Args:
        training_requests: the jobs; this process runs those that no worker takes.
        report: receives a text and the fraction of all jobs.

    Returns:
        One line for each job that failed.
    """
    if not training_requests:
        return []
    worker = _InlineWorker(training_requests)
    worker.start()
    failures = []
    try:
        for index, request in enumerate(training_requests):
            scaled = _scale_progress(report, index, len(training_requests))
            job = _wait_for_job(request, worker, scaled)
            if job.state != "succeeded":
                failures.append(f"{request.name}: {job.reason}")
    finally:
        worker.stop_event.set()
    return failures


class _InlineWorker(threading.Thread):
    """Runs the jobs that no worker has taken, one after the other, and jobs whose worker died.

    `error` is set when a job raised; the thread has then ended.
    """

    def __init__(self, training_requests: Sequence[TrainingRequest]) -> None:
        super().__init__(name="demo-training", daemon=True)
        self.training_requests = training_requests
        self.stop_event = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Thread body: tries every job in turn until `stop_event` is set."""
        try:
            while not self.stop_event.wait(RETRY_SECONDS):
                for request in self.training_requests:
                    _run_training(request)
        except Exception as error:
            # Raised again in the waiting thread; an exception of a thread would only be printed.
            self.error = error
        finally:
            # Database connections belong to the thread that opened them.
            connections.close_all()


def _run_training(training_request: TrainingRequest) -> None:
    """Does nothing when the job has ended or another process holds its lease."""
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
    """The ended job. Raises what ended the inline worker."""
    while worker.error is None:
        with scope(training_request.tenant, actor=ACTOR) as s:
            job = jobs.get_job(s, training_request.job_id)
        if job.state not in {"queued", "running"}:
            return job
        report(f"{training_request.name}: training, {job.phase or 'waiting'}", job.percent / 100)
        time.sleep(POLL_SECONDS)
    raise worker.error


def _scale_progress(report: DemoProgressCallback, index: int, n_parts: int) -> DemoProgressCallback:
    """A callback for part `index` of `n_parts` equal parts."""
    return lambda text, fraction: report(text, (index + fraction) / n_parts)
