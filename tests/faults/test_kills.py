"""SIGKILL of every process in turn, while a client sends: it is served again, and nothing acknowledged is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.platform import EVENTS_IN_A_BATCH, Platform, Sender, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with tempfile.TemporaryDirectory(prefix="lepton-faults-") as folder:
        running = Platform(Path(folder))
        running.start()
        yield running
        if running.process is not None and running.process.poll() is None:
            running.stop()


@pytest.fixture(scope="module")
def sender(platform: Platform) -> Iterator[Sender]:
    client = Sender(platform, platform.open_tenant())
    client.start()
    client.wait_for_more()
    yield client
    client.stop()


@pytest.mark.parametrize("name", ["postgres", "valkey", "web", "worker", "beat"])
def test_a_killed_process_comes_back_and_the_client_is_served(
    platform: Platform, sender: Sender, name: str
) -> None:
    killed = platform.children()[name]
    killed.kill()
    until(lambda: platform.children().get(name, killed).pid != killed.pid, 60, f"{name} runs again")
    sender.wait_for_more()
    assert until(platform.is_ready, 30, "every database answers")


def test_a_killed_supervisor_is_replaced_by_the_next(platform: Platform, sender: Sender) -> None:
    before = platform.children()
    platform.kill()
    platform.start()
    sender.wait_for_more()
    assert not {one.pid for one in before.values() if one.is_running() and one.status() != "zombie"}


def test_every_acknowledged_event_is_stored_exactly_once(platform: Platform, sender: Sender) -> None:
    sender.wait_for_more()
    sender.stop()
    assert sender.refused > 0
    assert platform.stored_events() == sender.acknowledged * EVENTS_IN_A_BATCH


def test_an_interrupt_ends_everything(platform: Platform) -> None:
    running = platform.children()
    assert platform.stop() == 0
    assert [name for name, one in running.items() if one.is_running() and one.status() != "zombie"] == []
