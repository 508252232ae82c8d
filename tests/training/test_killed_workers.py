"""After a worker was killed in any phase, the next one finishes the job and publishes a complete model."""

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
from tests.training.tenants import request_training

PHASES = ("reading events", "training", "evaluating", "refitting on all data", "publishing")
_WORKER_SCRIPT = """
import sys, django
django.setup()
from uuid import UUID
from recommender.training.job_runner import run_training_job
from tenants.regions import TenantRef
from tenants.scope import Actor
run_training_job(TenantRef(UUID(sys.argv[1]), sys.argv[2]), UUID(sys.argv[3]), owner="killed", actor=Actor("system", "test"))
"""


def kill_worker_in_phase(tenant: TenantRef, actor: Actor, job_id: UUID, phase: str) -> None:
    """Starts a worker and kills it when its job has reached the phase. Its lease expires at once."""
    argv = [sys.executable, "-c", _WORKER_SCRIPT, str(tenant.id), tenant.region, str(job_id)]
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    current_phase = ""
    while current_phase != phase and child.poll() is None and time.monotonic() < deadline:
        with scope(tenant, actor=actor) as s:
            current_phase = jobs.get_job(s, job_id).phase
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
def test_a_worker_killed_in_every_phase_leaves_one_complete_model(
    sequential_tenant: TenantRef, actor: Actor
) -> None:
    job_id = request_training(sequential_tenant, actor)
    for phase in PHASES:
        kill_worker_in_phase(sequential_tenant, actor, job_id, phase)
        with scope(sequential_tenant, actor=actor) as s:
            assert len(queries.list_versions(s)) == int(jobs.get_job(s, job_id).state == "succeeded")
    run_training_job(sequential_tenant, job_id, owner="w2", actor=actor)
    with scope(sequential_tenant, actor=actor) as s:
        versions, job = queries.list_versions(s), jobs.get_job(s, job_id)
    assert job.state == "succeeded"
    assert [version.version for version in versions] == [1]
    assert artefacts.read_artefact(sequential_tenant, versions[0].artefact_id, versions[0].manifest)
