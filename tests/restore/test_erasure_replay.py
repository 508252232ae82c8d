"""A restored backup contains profiles erased since. The replay of the erasure ledger erases them again."""

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
from tenants.privacy import replay as replay_module
from tenants.privacy.erasure import erase_profile
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.conftest import ROOT
from tests.proofs import Scale
from tests.restore.backups import DatabaseBackups
from tests.restore.profiles import (
    BEFORE_ERASURE,
    QuerySql,
    build_view_event,
    count_rows,
    create_profiles,
    load_rows,
)

ROWS_EACH = 6  # two chunks of the timeline, and one row in each of the other four tables


def run_replay(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_erasures", *(arguments or ("--region", "eu")), stdout=out)
    return out.getvalue()


@pytest.fixture
def profile_ids(tenant: TenantRef, actor: Actor, scale: Scale) -> list[str]:
    names = [f"person-{number}" for number in range(scale(24, 200))]
    create_profiles(tenant, names, actor)
    return names


@pytest.fixture
def erased_ids(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    profile_ids: list[str],
    backups: DatabaseBackups,
    actor: Actor,
) -> list[str]:
    """Half of the profiles were erased after the backup that has been restored."""
    create_profiles(stranger_tenant, profile_ids, actor)
    backup = backups.dump_database("data_eu")
    erased = profile_ids[::2]
    for name in erased:
        erase_profile(tenant, name, actor=actor)
    backups.restore_database("data_eu", backup)
    return erased


@pytest.mark.proof(row=21)
@pytest.mark.timeout(900)
def test_the_replay_erases_exactly_the_erased_profiles(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    profile_ids: list[str],
    erased_ids: list[str],
    query_sql: QuerySql,
    figure: Callable[..., bool],
) -> None:
    restored_rows = count_rows(query_sql, tenant, erased_ids)
    untouched = (
        load_rows(query_sql, tenant, profile_ids[1::2]),
        load_rows(query_sql, stranger_tenant, profile_ids),
    )
    output = run_replay()
    remaining = count_rows(query_sql, tenant, erased_ids)
    assert restored_rows == len(erased_ids) * ROWS_EACH
    assert f"Tenant {tenant.id}: profiles erased again: {len(erased_ids)}; rows: {restored_rows}.\n" in output
    assert figure(
        "rows of erased profiles left after restore and replay",
        remaining,
        of=restored_rows,
        passes=remaining == 0,
    )
    assert (
        load_rows(query_sql, tenant, profile_ids[1::2]),
        load_rows(query_sql, stranger_tenant, profile_ids),
    ) == untouched
    assert run_replay().endswith("profiles erased again: 0; rows: 0.\n")


def test_an_event_from_before_the_erasure_is_refused_after_the_replay(
    tenant: TenantRef, erased_ids: list[str], actor: Actor
) -> None:
    run_replay()
    with scope(tenant, actor=actor) as s:
        receipt = record_events(s, [build_view_event(erased_ids[0], BEFORE_ERASURE, "late")])
    assert [error.code for error in receipt.rejected] == ["erased_profile"]


def test_a_profile_absent_from_the_backup_stays_erased(
    tenant: TenantRef, backups: DatabaseBackups, actor: Actor
) -> None:
    create_profiles(tenant, ["ann"], actor)
    backup = backups.dump_database("data_eu")
    erase_profile(tenant, "newcomer", actor=actor)
    backups.restore_database("data_eu", backup)
    run_replay()
    with scope(tenant, actor=actor) as s:
        receipt = record_events(s, [build_view_event("newcomer", BEFORE_ERASURE, "late")])
    assert [error.code for error in receipt.rejected] == ["erased_profile"]


def test_the_replay_covers_several_pages(
    tenant: TenantRef, erased_ids: list[str], query_sql: QuerySql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "_PAGE_SIZE", 5)
    run_replay()
    assert count_rows(query_sql, tenant, erased_ids) == 0


def test_events_after_an_erasure_are_kept(
    tenant: TenantRef, backups: DatabaseBackups, query_sql: QuerySql, actor: Actor
) -> None:
    create_profiles(tenant, ["ann"], actor)
    erase_profile(tenant, "ann", actor=actor)
    with scope(tenant, actor=actor) as s:
        record_events(s, [build_view_event("ann", datetime.now(UTC), "new")])
    backups.restore_database("data_eu", backups.dump_database("data_eu"))
    run_replay()
    assert count_rows(query_sql, tenant, ["ann"]) == 1


def test_a_profile_erased_twice_is_erased_again_by_the_replay(
    tenant: TenantRef, backups: DatabaseBackups, query_sql: QuerySql, actor: Actor
) -> None:
    create_profiles(tenant, ["ann"], actor)
    erase_profile(tenant, "ann", actor=actor)
    with scope(tenant, actor=actor) as s:
        record_events(s, [build_view_event("ann", datetime.now(UTC), "new")])
    backup = backups.dump_database("data_eu")
    erase_profile(tenant, "ann", actor=actor)
    backups.restore_database("data_eu", backup)
    assert count_rows(query_sql, tenant, ["ann"]) == 1
    run_replay()
    assert count_rows(query_sql, tenant, ["ann"]) == 0


@pytest.mark.proof(row=21)
@pytest.mark.timeout(900)
def test_a_killed_replay_is_finished_by_the_next(
    tenant: TenantRef,
    profile_ids: list[str],
    erased_ids: list[str],
    query_sql: QuerySql,
    scale: Scale,
    figure: Callable[..., bool],
) -> None:
    untouched = load_rows(query_sql, tenant, profile_ids[1::2])
    killed_half_way = 0
    for _ in range(scale(1, 10)):
        before = count_rows(query_sql, tenant, erased_ids)
        kill_replay(lambda before=before: count_rows(query_sql, tenant, erased_ids) < before)
        killed_half_way += 0 < count_rows(query_sql, tenant, erased_ids) < before
    run_replay()
    remaining = count_rows(query_sql, tenant, erased_ids)
    assert killed_half_way > 0
    assert load_rows(query_sql, tenant, profile_ids[1::2]) == untouched
    assert figure(
        "rows left after killed replays and one whole", remaining, of=killed_half_way, passes=remaining == 0
    )


def kill_replay(has_started: Callable[[], bool]) -> None:
    """Runs the command in a process of its own and kills it when `has_started()` is true, unless it ended before."""
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "replay_erasures", "--region", "eu"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while child.poll() is None and not has_started() and time.monotonic() < deadline:
        time.sleep(0.002)
    child.kill()
    child.wait()


def test_the_ledger_marks_replayed_erasures(
    tenant: TenantRef, erased_ids: list[str], actor: Actor, query_sql: QuerySql
) -> None:
    run_replay()
    sql = "SELECT count(*) FROM keys_erasureledgerentry WHERE tenant_id = %s AND replayed"
    assert query_sql("keys_eu", sql, tenant.id) == [(len(erased_ids),)]
    assert len(list_erasure_times(tenant, actor=actor)) == len(erased_ids)


def test_every_region_is_replayed_and_an_unknown_one_is_refused(database: Any) -> None:
    assert [line.split(":")[0] for line in run_replay("--verbosity", "1").splitlines() if line[0] == "R"] == [
        "Region cn",
        "Region eu",
        "Region us",
    ]
    with pytest.raises(CommandError, match="'mars' is not served here"):
        run_replay("--region", "mars")
