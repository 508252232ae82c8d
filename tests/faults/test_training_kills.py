"""SIGKILL of workers while they train and while they publish, and messages delivered a hundred times over."""

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
LEARNING = ("reading events", "training", "evaluating", "refitting on all data")
WRONG = {
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
def key(platform: Platform) -> str:
    """Of a tenant whose next items can be learned."""
    key = platform.open_tenant()
    items = [{"id": f"i{n}", "title": f"Thing {n}", "categories": [f"shelf {n % 6}"]} for n in range(ITEMS)]
    platform.send(key, "items/batch", {"items": items})
    start = datetime.now(UTC) - timedelta(days=30)
    rows = [
        {"profile_id": f"p{who}", "item_id": f"i{walk_in_order(who, step)}", "kind": "view",
         "at": (start + timedelta(hours=6 * step, minutes=who)).isoformat()}
        for who in range(PROFILES) for step in range(LENGTH)
    ]  # fmt: skip
    for start in range(0, len(rows), 1000):
        platform.send(key, "events", {"events": rows[start : start + 1000]})
    return key


@pytest.fixture(scope="module")
def load(platform: Platform, key: str) -> Iterator[EventSender]:
    """Another tenant's events, all the time."""
    client = EventSender(platform, platform.open_tenant("Neighbour"))
    client.start()
    yield client
    client.stop()


def stop_worker_in_phase(platform: Platform, job_id: str, phase: str) -> int:
    """The process that has the job, stopped in this phase; 0 when the job ended before."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        ((state, reached, owner),) = platform.execute_sql(_STATE, job_id)
        if state not in ("queued", "running"):
            return 0
        if state == "running" and reached == phase:
            pid = int(owner.rpartition(":")[2])
            # The row names the one killed before until the next takes the lease.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                return pid
    raise AssertionError(f"the job did not reach {phase!r}")


def kill_worker_in_phase(platform: Platform, key: str, phase: str) -> bool:
    """Whether a worker died in this phase; its lease is over at once, so that the next need not wait a minute."""
    job = platform.send(key, "models/train", {"profile": "fast"})
    if not (pid := stop_worker_in_phase(platform, job["id"], phase)):
        return False
    platform.execute_sql(_EXPIRE, job["id"])
    os.kill(pid, signal.SIGKILL)
    platform.run_python("from lepton_platform.tasks.maintenance import sweep; sweep(region='eu')")
    return True


def kill_workers_in_phases(platform: Platform, key: str, phases: tuple[str, ...]) -> int:
    """SIGKILLs, one phase after the other, until there were enough."""
    kills = tries = 0
    while kills < KILLS:
        tries += 1
        assert tries < 4 * KILLS
        kills += kill_worker_in_phase(platform, key, phases[tries % len(phases)])
    return kills


def test_workers_killed_while_they_learn(
    platform: Platform, key: str, load: EventSender, figure: Any
) -> None:
    kills = kill_workers_in_phases(platform, key, LEARNING)
    assert figure("SIGKILLs of workers while learning", kills, passes=kills == KILLS)


def test_workers_killed_while_they_publish(
    platform: Platform, key: str, load: EventSender, figure: Any
) -> None:
    kills = kill_workers_in_phases(platform, key, ("publishing",))
    assert figure("SIGKILLs of workers while publishing", kills, passes=kills == KILLS)


def test_a_hundred_deliveries_of_one_job_have_one_effect(
    platform: Platform, key: str, load: EventSender, figure: Any
) -> None:
    job = platform.send(key, "models/train", {"profile": "fast"})
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


def test_every_job_ended_once_and_every_model_is_whole(
    platform: Platform, key: str, load: EventSender, figure: Any
) -> None:
    wait_until(
        lambda: not platform.execute_sql("SELECT 1 FROM data_job WHERE state IN ('queued', 'running')"),
        300,
        "all end",
    )
    load.stop()
    ledger = platform.read_ledger()
    wrong = {words: ledger[name] for name, words in WRONG.items()}
    for words, count in wrong.items():
        figure(words, count, of=ledger["jobs"], passes=count == 0)
    assert wrong == dict.fromkeys(wrong, 0)
    assert ledger["versions"] > 0
    expected, stored = load.n_acknowledged_events + PROFILES * LENGTH, platform.count_stored_events()
    assert figure("acknowledged events lost", expected - stored, of=expected, passes=stored == expected)
