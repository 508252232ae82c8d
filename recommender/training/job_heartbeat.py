"""A job's lease, its percent and its cancel button, while the mathematics works."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from uuid import UUID

import structlog
from django.db import connections

from recommender.types import TrainingCancelled
from tenants.data.actions import jobs
from tenants.errors import Conflict, DomainError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5.0


class LeaseLost(Conflict):
    """Another worker has this job now; this one must write nothing."""


class JobHeartbeat:
    """Renews the lease from a thread of its own, so that a long matrix inversion does not lose it.

    `report` is cheap and raises Cancelled or LeaseLost, as soon as the last beat has learned of it.
    """

    def __init__(self, tenant: TenantRef, job_id: UUID, *, owner: str, actor: Actor) -> None:
        self._tenant, self._job_id, self._owner, self._actor = tenant, job_id, owner, actor
        self._phase, self._percent = "start", 0
        self._low, self._high = 0.0, 0.0
        self._cancelled, self._lease_lost = False, False
        self._checkpoint_saved_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run_heartbeat, name="lepton-lease", daemon=True)

    def __enter__(self) -> JobHeartbeat:
        self._send_heartbeat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def start_phase(self, phase: str, *, low: float, high: float) -> None:
        """What follows is `phase`, between these percentages; written down at once."""
        self._phase, self._low, self._high = phase, low, high
        self.report_progress("", 0.0)
        self._send_heartbeat()
        self._raise_if_stopped()

    def report_progress(self, _step: str, fraction: float) -> None:
        """A recommender.types.Report for the phase under way; the percentage never falls."""
        reached = int(self._low + (self._high - self._low) * min(max(fraction, 0.0), 1.0))
        self._percent = max(self._percent, reached)
        self._raise_if_stopped()

    def save_checkpoint(self, outcome: Mapping[str, Any]) -> None:
        """Writes down what a further attempt need not do again, at most every few seconds."""
        if time.monotonic() - self._checkpoint_saved_at < HEARTBEAT_SECONDS:
            return
        self._checkpoint_saved_at = time.monotonic()
        try:
            with scope(self._tenant, actor=self._actor) as s:
                jobs.save_checkpoint(s, self._job_id, owner=self._owner, outcome=outcome)
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
                    s, self._job_id, owner=self._owner, phase=self._phase, percent=self._percent
                )
        except Conflict:
            self._lease_lost = True
        except DomainError as error:
            log.warning("lease_not_renewed", job=str(self._job_id), reason=error.code)
