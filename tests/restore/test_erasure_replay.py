"""Yesterday's backup brings erased people back; replaying the ledger beside the keys erases them again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tenants.data.actions.events import record_events
from tenants.keys.queries import list_erasure_times
from tenants.privacy import replay as replaying
from tenants.privacy.erasure import erase_profile
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.conftest import ROOT
from tests.proofs import Scale
from tests.restore.backups import Backups
from tests.restore.profiles import BEFORE, Look, content_of, fill, rows_of, view

ROWS_EACH = 6  # two chunks of the timeline, and one row in each of the other four tables


def replay(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_erasures", *(arguments or ("--region", "eu")), stdout=out)
    return out.getvalue()


@pytest.fixture
def crowd(tenant: TenantRef, actor: Actor, scale: Scale) -> list[str]:
    names = [f"person-{number}" for number in range(scale(24, 200))]
    fill(tenant, names, actor)
    return names


@pytest.fixture
def restored(
    tenant: TenantRef, stranger_tenant: TenantRef, crowd: list[str], backups: Backups, actor: Actor
) -> list[str]:
    """Half of the crowd was erased after the backup that has now been restored."""
    fill(stranger_tenant, crowd, actor)
    yesterday = backups.dump("data_eu")
    erased = crowd[::2]
    for name in erased:
        erase_profile(tenant, name, actor=actor)
    backups.restore("data_eu", yesterday)
    return erased


@pytest.mark.proof(row=21)
@pytest.mark.timeout(900)
def test_the_replay_erases_exactly_the_erased_profiles(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    crowd: list[str],
    restored: list[str],
    look: Look,
    figure: Callable[..., bool],
) -> None:
    back = rows_of(look, tenant, restored)
    untouched = content_of(look, tenant, crowd[1::2]), content_of(look, stranger_tenant, crowd)
    output = replay()
    remaining = rows_of(look, tenant, restored)
    assert back == len(restored) * ROWS_EACH
    assert f"Tenant {tenant.id}: profiles erased again: {len(restored)}; rows: {back}.\n" in output
    assert figure(
        "rows of erased profiles left after restore and replay", remaining, of=back, passes=remaining == 0
    )
    assert (content_of(look, tenant, crowd[1::2]), content_of(look, stranger_tenant, crowd)) == untouched
    assert replay().endswith("profiles erased again: 0; rows: 0.\n")


def test_an_event_from_before_the_erasure_is_refused_after_the_replay(
    tenant: TenantRef, restored: list[str], actor: Actor
) -> None:
    replay()
    with scope(tenant, actor=actor) as s:
        receipt = record_events(s, [view(restored[0], BEFORE, "late")])
    assert [error.code for error in receipt.rejected] == ["erased_profile"]


def test_a_profile_absent_from_the_backup_stays_erased(
    tenant: TenantRef, backups: Backups, actor: Actor
) -> None:
    fill(tenant, ["ann"], actor)
    yesterday = backups.dump("data_eu")
    erase_profile(tenant, "newcomer", actor=actor)
    backups.restore("data_eu", yesterday)
    replay()
    with scope(tenant, actor=actor) as s:
        receipt = record_events(s, [view("newcomer", BEFORE, "late")])
    assert [error.code for error in receipt.rejected] == ["erased_profile"]


def test_the_replay_covers_several_pages(
    tenant: TenantRef, restored: list[str], look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "_PAGE_SIZE", 5)
    replay()
    assert rows_of(look, tenant, restored) == 0


def test_events_after_an_erasure_are_kept(
    tenant: TenantRef, backups: Backups, look: Look, actor: Actor
) -> None:
    fill(tenant, ["ann"], actor)
    erase_profile(tenant, "ann", actor=actor)
    with scope(tenant, actor=actor) as s:
        record_events(s, [view("ann", datetime.now(UTC), "new")])
    backups.restore("data_eu", backups.dump("data_eu"))
    replay()
    assert rows_of(look, tenant, ["ann"]) == 1


def test_a_profile_erased_twice_is_erased_again_by_the_replay(
    tenant: TenantRef, backups: Backups, look: Look, actor: Actor
) -> None:
    fill(tenant, ["ann"], actor)
    erase_profile(tenant, "ann", actor=actor)
    with scope(tenant, actor=actor) as s:
        record_events(s, [view("ann", datetime.now(UTC), "new")])
    yesterday = backups.dump("data_eu")
    erase_profile(tenant, "ann", actor=actor)
    backups.restore("data_eu", yesterday)
    assert rows_of(look, tenant, ["ann"]) == 1
    replay()
    assert rows_of(look, tenant, ["ann"]) == 0


@pytest.mark.proof(row=21)
@pytest.mark.timeout(900)
def test_a_killed_replay_is_finished_by_the_next(
    tenant: TenantRef,
    crowd: list[str],
    restored: list[str],
    look: Look,
    scale: Scale,
    figure: Callable[..., bool],
) -> None:
    untouched, killed_half_way = content_of(look, tenant, crowd[1::2]), 0
    for _ in range(scale(1, 10)):
        before = rows_of(look, tenant, restored)
        kill_once(lambda before=before: rows_of(look, tenant, restored) < before)
        killed_half_way += 0 < rows_of(look, tenant, restored) < before
    replay()
    remaining = rows_of(look, tenant, restored)
    assert killed_half_way > 0
    assert content_of(look, tenant, crowd[1::2]) == untouched
    assert figure(
        "rows left after killed replays and one whole", remaining, of=killed_half_way, passes=remaining == 0
    )


def kill_once(begun: Callable[[], bool]) -> None:
    """Starts the command in a process of its own and kills it once `begun`, or when it ended by itself."""
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "replay_erasures", "--region", "eu"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while child.poll() is None and not begun() and time.monotonic() < deadline:
        time.sleep(0.002)
    child.kill()
    child.wait()


def test_the_ledger_marks_replayed_erasures(
    tenant: TenantRef, restored: list[str], actor: Actor, look: Look
) -> None:
    replay()
    sql = "SELECT count(*) FROM keys_erasureledgerentry WHERE tenant_id = %s AND replayed"
    assert look("keys_eu", sql, tenant.id) == [(len(restored),)]
    assert len(list_erasure_times(tenant, actor=actor)) == len(restored)


def test_every_region_is_replayed_and_an_unknown_one_is_refused(database: Any) -> None:
    assert [line.split(":")[0] for line in replay("--verbosity", "1").splitlines() if line[0] == "R"] == [
        "Region cn",
        "Region eu",
        "Region us",
    ]
    with pytest.raises(CommandError, match="'mars' is not served here"):
        replay("--region", "mars")
