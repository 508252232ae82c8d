"""Tasks that keep a region's data in order: outbox, expired jobs, timelines, counters, retention."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from celery import shared_task

from lepton_platform.celery import app, region_queue
from lepton_platform.tasks.tenants import WORKER, iter_active_tenants
from recommender.registry import orphans
from tenants.data.actions import counters, jobs, merge, outbox, retention
from tenants.errors import Conflict, DomainError
from tenants.regions import TenantRef
from tenants.scope import data_ops, scope

log = structlog.get_logger(__name__)


@shared_task(name="lepton.relay")  # type: ignore[untyped-decorator]  # celery has no types
def publish_outbox(*, region: str) -> int:
    """Publishes the pending messages of the outbox; returns their number.

    Delivery is at least once: a crash between the broker and the commit publishes a message again.
    """
    with data_ops(
        region,
        "outbox",
        actor=WORKER,
        reason="publish task messages",
    ) as s:
        pending = outbox.fetch_pending(s)
        for message in pending:
            app.send_task(
                message.task,
                kwargs={**message.arguments, "region": region},
                queue=region_queue(region),
            )
            # Committed after sending: a message is lost in no case, and sent twice in the worst.
            outbox.mark_published(s, message)
    return len(pending)


@shared_task(name="lepton.sweep")  # type: ignore[untyped-decorator]  # celery has no types
def retry_expired_jobs(*, region: str) -> int:
    """Queues jobs whose lease has expired again; after three attempts they are parked. Returns their number."""
    with data_ops(
        region,
        "sweeper",
        actor=WORKER,
        reason="expired leases",
    ) as s:
        return len(jobs.recover_expired_jobs(s))


@shared_task(name="lepton.merge")  # type: ignore[untyped-decorator]  # celery has no types
def merge_timelines(*, region: str) -> None:
    """Merges the timeline chunks of profiles that have many small ones."""
    for tenant in iter_active_tenants(region, reason="merge timelines"):
        profile_keys = _find_merge_candidates(tenant, b"")
        while profile_keys:
            _merge_profiles(tenant, profile_keys)
            profile_keys = _find_merge_candidates(tenant, profile_keys[-1])


@shared_task(name="lepton.fold")  # type: ignore[untyped-decorator]  # celery has no types
def fold_counters(*, region: str) -> None:
    """Adds the pending counter deltas of every tenant to its daily counters."""
    for tenant in iter_active_tenants(region, reason="fold counters"):
        with scope(tenant, actor=WORKER) as s:
            counters.fold_counters(s)


@shared_task(name="lepton.clean")  # type: ignore[untyped-decorator]  # celery has no types
def remove_expired_data(*, region: str) -> None:
    """Deletes rows past their retention, and artefact folders that no version names."""
    with data_ops(
        region,
        "outbox",
        actor=WORKER,
        reason="drop published messages",
    ) as s:
        outbox.delete_published(s)
    for tenant in iter_active_tenants(region, reason="retention"):
        try:
            retention.enforce_retention(tenant, actor=WORKER)
            orphans.remove_orphaned_artefacts(tenant, actor=WORKER)
        except DomainError as error:
            log.warning(
                "clean_failed",
                tenant=str(tenant.id),
                reason=error.code,
            )


def _find_merge_candidates(tenant: TenantRef, after: bytes) -> list[bytes]:
    """A page of profile keys after `after`, ascending."""
    with scope(tenant, actor=WORKER) as s:
        return merge.find_merge_candidates(s, after=after)


def _merge_profiles(tenant: TenantRef, profiles: Sequence[bytes]) -> None:
    """Merges all profiles in one transaction; after a conflict with an erasure, each in its own, without the erased one."""
    while profiles:
        try:
            with scope(tenant, actor=WORKER) as s:
                profiles = merge.merge_profiles(s, profiles).unfinished_keys
        except Conflict:
            log.info(
                "merge_conflict",
                tenant=str(tenant.id),
                profiles=len(profiles),
            )
            if len(profiles) > 1:
                for profile_key in profiles:
                    _merge_profiles(tenant, [profile_key])
            return
        except DomainError as error:
            # Lost keys or a damaged chunk of one tenant must not keep the others' timelines from being merged.
            log.warning(
                "merge_skipped",
                tenant=str(tenant.id),
                reason=error.code,
            )
            return
