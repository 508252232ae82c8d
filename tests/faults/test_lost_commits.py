"""The control: a server that acknowledges commits before it has flushed them loses events, so the proof can fail."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.faults.platform import EventSender, Platform, kill_with_children, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.proof(row=26), pytest.mark.timeout(900)]
CYCLES = 5
ASYNCHRONOUS_COMMIT = (
    "ALTER SYSTEM SET synchronous_commit = off",
    "ALTER SYSTEM SET wal_writer_delay = '10s'",
    "SELECT pg_reload_conf()",
)


def test_with_asynchronous_commit_acknowledged_events_are_lost(figure: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="lepton-faults-") as folder:
        platform = Platform(Path(folder))
        platform.start()
        sender = EventSender(platform, platform.open_tenant())
        for statement in ASYNCHRONOUS_COMMIT:
            platform.execute_sql(statement)
        sender.start()
        for _ in range(CYCLES):
            sender.wait_for_more(20)
            killed = platform.get_child_processes()["postgres"]
            kill_with_children(killed)
            wait_until(
                lambda gone=killed: platform.get_child_processes().get("postgres", gone).pid != gone.pid,
                60,
                "it runs again",
            )
        sender.wait_for_more()
        sender.stop()
        n_lost = sender.acknowledged_events - platform.count_stored_data()["distinct"]
        platform.stop()
    assert figure(
        "acknowledged events lost by the careless control",
        n_lost,
        of=sender.acknowledged_events,
        passes=n_lost > 0,
    )
