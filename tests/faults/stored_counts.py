"""Runs inside a platform's environment: merges every timeline of a region and reads back what is stored there."""

from __future__ import annotations

import json
from collections import Counter

from lepton_platform.tasks.tenants import iter_active_tenants
from recommender.registry import artefacts, queries
from tenants.data.actions.merge import merge_profiles
from tenants.data.queries import jobs, timeline
from tenants.errors import Conflict
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

ACTOR = Actor("system", "stored-counts")
_PROFILES = "SELECT DISTINCT profile_key FROM data_timeline WHERE tenant_id = %s"
_ENDED = "SELECT verb, subject FROM data_auditentry WHERE tenant_id = %s AND verb IN ('job.succeeded', 'job.failed')"


def merge_all(tenant: TenantRef) -> None:
    with scope(tenant, actor=ACTOR) as s:
        keys = [bytes(row[0]) for row in s.cursor().execute(_PROFILES, (tenant.id,))]
    for key in keys:
        while _merge_once(tenant, key):
            pass


def _merge_once(tenant: TenantRef, key: bytes) -> bool:
    """Whether chunks remain. True on Conflict too: the platform's own worker is merging the same profile."""
    try:
        with scope(tenant, actor=ACTOR) as s:
            return bool(merge_profiles(s, [key]).unfinished_keys)
    except Conflict:
        return True


def count_events(tenant: TenantRef) -> dict[str, int]:
    """Stored rows after merging, and the distinct event ids among them."""
    merge_all(tenant)
    distinct = sum(
        len(set(history["event"].tolist())) for _, history in timeline.scan_histories(tenant, actor=ACTOR)
    )
    with scope(tenant, actor=ACTOR) as s:
        return {"stored": timeline.count_events(s), "distinct": distinct}


def count_models(tenant: TenantRef) -> dict[str, int]:
    """Versions whose files can't all be read, jobs that did not end, ends and versions beyond one a job."""
    with scope(tenant, actor=ACTOR) as s:
        versions = queries.list_versions(s, limit=1000)
        page, _ = jobs.list_jobs(s, limit=200)
        ends = Counter(subject for _, subject in s.cursor().execute(_ENDED, (tenant.id,)))
        active = queries.get_active_number(s)
    broken = 0
    for version in versions:
        if version.has_artefact:
            files = artefacts.read_artefact(tenant, version.artefact_id, version.manifest)
            broken += set(files) != set(version.manifest["files"])
    versions_by_job = Counter(version.job_id for version in versions)
    return {
        "versions": len(versions),
        "broken": broken,
        "active": sum(version.is_active for version in versions) - (active is not None),
        "open jobs": sum(job.state in ("queued", "running") for job in page),
        "jobs": len(page),
        "second ends": sum(count - 1 for count in ends.values()),
        "second versions": sum(count - 1 for count in versions_by_job.values()),
    }


def main(region: str) -> None:
    """Prints one JSON object."""
    total: Counter[str] = Counter()
    for tenant in iter_active_tenants(region, reason="count what is stored"):
        total.update(count_events(tenant))
        total.update(count_models(tenant))
    print(json.dumps(total))
