"""Keeps a job's lease, stores its progress, and stops the training when it is cancelled or the lease is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from uuid import UUID

import structlog
from django.db import connections

from recommender.training.phases import START, Phase
from recommender.types import TrainingCancelled
from tenants.data.actions import jobs
from tenants.errors import Conflict, DomainError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5.0


class LeaseLost(Conflict):
    """Another worker has leased this job; this one must not write anything."""


class JobHeartbeat:
    """Renews the lease in a thread of its own, so that a long matrix inversion does not lose it.

    Use it as a context manager around the training. `report_progress` is cheap; it raises TrainingCancelled or LeaseLost once a
    heartbeat has found that the job was cancelled or leased by another worker.
    """

    def __init__(
        self,
        tenant: TenantRef,
        job_id: UUID,
        *,
        owner: str,
        actor: Actor,
    ) -> None:
        self._tenant = tenant
        self._job_id = job_id
        self._owner = owner
        self._actor = actor
        self._phase = START
        self._percent = 0
        self._cancelled = False
        self._lease_lost = False
        self._checkpoint_saved_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run_heartbeat,
            name="lepton-lease",
            daemon=True,
        )

    def __enter__(self) -> JobHeartbeat:
        self._send_heartbeat()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Stops before the job is finished, so that no heartbeat renews a finished job.
        self._stop.set()
        self._thread.join()

    def start_phase(self, phase: Phase) -> None:
        """Starts a phase and stores it at once. Raises TrainingCancelled or LeaseLost."""
        self._phase = phase
        self.report_fraction(0.0)
        self._send_heartbeat()
        self._raise_if_stopped()

    def report_progress(self, _step: str, fraction: float) -> None:
        """`report_fraction` as a `recommender.types.ProgressCallback`."""
        self.report_fraction(fraction)

    def report_fraction(self, fraction: float) -> None:
        """Sets the completed fraction of the current phase, 0 to 1; the percentage of the job never falls.

        Raises TrainingCancelled or LeaseLost.
        """
        start, end = self._phase.start_percent, self._phase.end_percent
        percent = int(start + (end - start) * min(max(fraction, 0.0), 1.0))
        self._percent = max(self._percent, percent)
        self._raise_if_stopped()

    def save_checkpoint(self, outcome: Mapping[str, Any]) -> None:
        """Stores what another attempt need not repeat, at most once in HEARTBEAT_SECONDS."""
        if time.monotonic() - self._checkpoint_saved_at < HEARTBEAT_SECONDS:
            return
        self._checkpoint_saved_at = time.monotonic()
        try:
            with scope(self._tenant, actor=self._actor) as s:
                jobs.save_checkpoint(
                    s,
                    self._job_id,
                    owner=self._owner,
                    outcome=outcome,
                )
        except Conflict:
            self._lease_lost = True

    def _raise_if_stopped(self) -> None:
        if self._lease_lost:
            raise LeaseLost
        if self._cancelled:
            raise TrainingCancelled

    def _run_heartbeat(self) -> None:
        try:
            while not self._stop.wait(HEARTBEAT_SECONDS):
                self._send_heartbeat()
        finally:
            connections.close_all()

    def _send_heartbeat(self) -> None:
        try:
            with scope(self._tenant, actor=self._actor) as s:
                self._cancelled |= jobs.report_progress(
                    s,
                    self._job_id,
                    owner=self._owner,
                    phase=self._phase.name,
                    percent=self._percent,
                )
        except Conflict:
            self._lease_lost = True
        except DomainError as error:
            # For example a key service that is down for a moment: the lease outlasts several heartbeats.
            log.warning(
                "lease_not_renewed",
                job=str(self._job_id),
                reason=error.code,
            )
