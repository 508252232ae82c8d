"""A worker dies at any moment: the next one finishes, and what is published is whole."""

from __future__ import annotations

import subprocess
import sys
import time
from uuid import UUID

import pytest

from recommender.registry import artefacts, queries
from recommender.training.job_runner import run_training_job
from tenants.data.queries import jobs
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import order_training

PHASES = ("reading events", "training", "evaluating", "refitting on all data", "publishing")
_WORK = """
import sys, django
django.setup()
from uuid import UUID
from recommender.training.job_runner import work
from tenants.regions import TenantRef
from tenants.scope import Actor
work(TenantRef(UUID(sys.argv[1]), sys.argv[2]), UUID(sys.argv[3]), owner="killed", actor=Actor("system", "test"))
"""


def kill_in(tenant: TenantRef, actor: Actor, job_id: UUID, phase: str) -> None:
    """Starts a worker and kills it once its job has reached the phase; its lease is over at once."""
    argv = [sys.executable, "-c", _WORK, str(tenant.id), tenant.region, str(job_id)]
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    reached = ""
    while reached != phase and child.poll() is None and time.monotonic() < deadline:
        with scope(tenant, actor=actor) as s:
            reached = jobs.get_job(s, job_id).phase
    child.kill()
    child.wait()
    with scope(tenant, actor=actor) as s:
        s.cursor().execute(
            "UPDATE data_job SET attempt = 0, phase = '', lease_until = now() - interval '1 s' "
            "WHERE tenant_id = %s AND id = %s AND state = 'running'",
            (tenant.id, job_id),
        )


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_worker_killed_in_every_phase_leaves_one_complete_model(walkers: TenantRef, actor: Actor) -> None:
    job_id = order_training(walkers, actor)
    for phase in PHASES:
        kill_in(walkers, actor, job_id, phase)
        with scope(walkers, actor=actor) as s:
            assert len(queries.list_versions(s)) == int(jobs.get_job(s, job_id).state == "succeeded")
    run_training_job(walkers, job_id, owner="w2", actor=actor)
    with scope(walkers, actor=actor) as s:
        versions, job = queries.list_versions(s), jobs.get_job(s, job_id)
    assert job.state == "succeeded"
    assert [version.version for version in versions] == [1]
    assert artefacts.read_artefact(walkers, versions[0].artefact_id, versions[0].manifest)
