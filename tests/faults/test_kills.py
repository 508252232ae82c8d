"""SIGKILL of every process in turn, while a client sends: it is served again, and nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.platform import EventSender, Platform, kill_with_children, wait_until

pytestmark = [pytest.mark.proof(row=26), pytest.mark.timeout(3000)]
# In the short form and in the full one.
CYCLES = {"postgres": (1, 20), "valkey": (1, 10), "web": (1, 5), "worker": (1, 5), "beat": (1, 2)}


@pytest.fixture(scope="module")
def sender(platform: Platform) -> Iterator[EventSender]:
    client = EventSender(platform, platform.open_tenant())
    client.start()
    client.wait_for_more()
    yield client
    client.stop()


@pytest.mark.parametrize("name", CYCLES)
def test_a_killed_process_is_restarted_and_the_client_is_served(
    platform: Platform, sender: EventSender, scale: Any, figure: Any, name: str
) -> None:
    cycles = scale(*CYCLES[name])
    for _ in range(cycles):
        killed = platform.get_child_processes()[name]
        kill_with_children(killed)
        wait_until(
            lambda gone=killed: platform.get_child_processes().get(name, gone).pid != gone.pid,
            60,
            f"{name} runs again",
        )
        sender.wait_for_more()
        wait_until(platform.is_ready, 30, "every database answers")
        if cycles > 1 and name in ("web", "worker", "beat"):
            platform.wait_until_stable(name)
    assert figure(f"SIGKILLs of {name} survived under load", cycles, passes=cycles > 0)


def test_a_killed_supervisor_is_replaced_by_the_next(
    platform: Platform, sender: EventSender, scale: Any, figure: Any
) -> None:
    cycles = scale(1, 5)
    for _ in range(cycles):
        before = platform.get_child_processes()
        platform.kill()
        platform.start()
        sender.wait_for_more()
        assert not {
            process.pid
            for process in before.values()
            if process.is_running() and process.status() != "zombie"
        }
    assert figure("SIGKILLs of the supervisor survived under load", cycles, passes=cycles > 0)


def test_every_acknowledged_event_is_stored_exactly_once(
    platform: Platform, sender: EventSender, figure: Any
) -> None:
    sender.wait_for_more()
    sender.stop()
    assert sender.n_refused_batches > 0
    stored = platform.count_stored_data()
    assert figure("acknowledged events lost", sender.acknowledged_events - stored["distinct"], of=sender.acknowledged_events,
                  passes=stored["distinct"] == sender.acknowledged_events)  # fmt: skip
    assert figure("events stored twice after merging", stored["stored"] - stored["distinct"], of=sender.acknowledged_events,
                  passes=stored["stored"] == stored["distinct"])  # fmt: skip


def test_an_interrupt_ends_all_processes(platform: Platform) -> None:
    running = platform.get_child_processes()
    assert platform.stop() == 0
    assert [
        name for name, process in running.items() if process.is_running() and process.status() != "zombie"
    ] == []
