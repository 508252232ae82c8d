"""SIGKILL of workers while they train and while they publish, and a job message delivered a hundred times."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.platform import EventSender, Platform, wait_until
from tests.training.tenants import ITEMS, LENGTH, PROFILES, walk_in_order

pytestmark = [pytest.mark.faults, pytest.mark.proof(row=25), pytest.mark.timeout(3600)]
KILLS = 20
TRAINING_PHASES = ("reading events", "training", "evaluating", "refitting on all data")
DEFECT_LABELS = {
    "broken": "half-published models",
    "active": "serving models beside the pointer's",
    "open jobs": "jobs without an end",
    "second ends": "jobs that ended twice",
    "second versions": "jobs that published twice",
}
_STATE = "SELECT state, phase, lease_owner FROM data_job WHERE id = %s"
_EXPIRE = "UPDATE data_job SET lease_until = now() - interval '1 s' WHERE id = %s AND state = 'running'"
_DELIVER = """
from lepton_platform.celery import app, region_queue
for _ in range({count}): app.send_task("lepton.train", kwargs={arguments}, queue=region_queue("eu"))
"""


@pytest.fixture(scope="module")
def api_key(platform: Platform) -> str:
    """The key of a tenant whose next items are predictable."""
    api_key = platform.open_tenant()
    items = [{"id": f"i{n}", "title": f"Thing {n}", "categories": [f"shelf {n % 6}"]} for n in range(ITEMS)]
    platform.send(api_key, "items/batch", {"items": items})
    start = datetime.now(UTC) - timedelta(days=30)
    rows = [
        {"profile_id": f"p{user}", "item_id": f"i{walk_in_order(user, step)}", "kind": "view",
         "at": (start + timedelta(hours=6 * step, minutes=user)).isoformat()}
        for user in range(PROFILES) for step in range(LENGTH)
    ]  # fmt: skip
    for start in range(0, len(rows), 1000):
        platform.send(api_key, "events", {"events": rows[start : start + 1000]})
    return api_key


@pytest.fixture(scope="module")
def background_sender(platform: Platform, api_key: str) -> Iterator[EventSender]:
    """Sends events of another tenant in the background."""
    client = EventSender(platform, platform.open_tenant("Neighbour"))
    client.start()
    yield client
    client.stop()


def stop_worker_in_phase(platform: Platform, job_id: str, phase: str) -> int:
    """Stops the process that runs the job in this phase and returns its id, or 0 if the job ended before."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        ((state, current_phase, owner),) = platform.execute_sql(_STATE, job_id)
        if state not in ("queued", "running"):
            return 0
        if state == "running" and current_phase == phase:
            pid = int(owner.rpartition(":")[2])
            # The row names the killed worker until another one takes the lease.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                return pid
    raise AssertionError(f"the job did not reach {phase!r}")


def kill_worker_in_phase(platform: Platform, api_key: str, phase: str) -> bool:
    """Returns whether a worker was killed in this phase. Expires its lease, so that the next one need not wait a minute."""
    job = platform.send(api_key, "models/train", {"profile": "fast"})
    if not (pid := stop_worker_in_phase(platform, job["id"], phase)):
        return False
    platform.execute_sql(_EXPIRE, job["id"])
    os.kill(pid, signal.SIGKILL)
    platform.run_python(
        "from lepton_platform.tasks.maintenance import retry_expired_jobs; retry_expired_jobs(region='eu')"
    )
    return True


def kill_workers_in_phases(platform: Platform, api_key: str, phases: tuple[str, ...]) -> int:
    """Sends SIGKILL in one phase after the other until `KILLS` workers were killed."""
    kills = tries = 0
    while kills < KILLS:
        tries += 1
        assert tries < 4 * KILLS
        kills += kill_worker_in_phase(platform, api_key, phases[tries % len(phases)])
    return kills


def test_workers_are_killed_while_they_train(
    platform: Platform, api_key: str, background_sender: EventSender, figure: Any
) -> None:
    kills = kill_workers_in_phases(platform, api_key, TRAINING_PHASES)
    assert figure("SIGKILLs of workers while learning", kills, passes=kills == KILLS)


def test_workers_are_killed_while_they_publish(
    platform: Platform, api_key: str, background_sender: EventSender, figure: Any
) -> None:
    kills = kill_workers_in_phases(platform, api_key, ("publishing",))
    assert figure("SIGKILLs of workers while publishing", kills, passes=kills == KILLS)


def test_a_hundred_deliveries_of_one_job_have_one_effect(
    platform: Platform, api_key: str, background_sender: EventSender, figure: Any
) -> None:
    job = platform.send(api_key, "models/train", {"profile": "fast"})
    ((tenant_id,),) = platform.execute_sql("SELECT tenant_id::text FROM data_job WHERE id = %s", job["id"])
    arguments = {"tenant_id": tenant_id, "job_id": job["id"], "region": "eu"}
    deliver = _DELIVER.format(count=100, arguments=json.dumps(arguments))
    platform.run_python(f"exec({deliver!r})")
    wait_until(
        lambda: platform.execute_sql(_STATE, job["id"])[0][0] in ("succeeded", "failed"), 300, "the job ends"
    )
    ((n_versions,),) = platform.execute_sql(
        "SELECT count(*) FROM recommender_modelversion WHERE job_id = %s", job["id"]
    )
    assert figure("versions made by 100 deliveries of one job", n_versions, passes=n_versions == 1)


def test_every_job_ended_once_and_every_model_is_complete(
    platform: Platform, api_key: str, background_sender: EventSender, figure: Any
) -> None:
    wait_until(
        lambda: not platform.execute_sql("SELECT 1 FROM data_job WHERE state IN ('queued', 'running')"),
        300,
        "all end",
    )
    background_sender.stop()
    counts = platform.count_stored_data()
    defects = {label: counts[name] for name, label in DEFECT_LABELS.items()}
    for label, count in defects.items():
        figure(label, count, of=counts["jobs"], passes=count == 0)
    assert defects == dict.fromkeys(defects, 0)
    assert counts["versions"] > 0
    expected, stored = (
        background_sender.acknowledged_events + PROFILES * LENGTH,
        platform.count_stored_events(),
    )
    assert figure("acknowledged events lost", expected - stored, of=expected, passes=stored == expected)
