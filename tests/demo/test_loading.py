from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lepton_platform.demo.loading import DemoError, load_records
from lepton_platform.demo.progress import DemoLoadState
from lepton_platform.demo.specs import DemoSpec
from tenants.data.queries import catalog, profiles, reviews, tenant_state, timeline
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

ProgressCallback = Callable[[str, float], None]
ALL_ROWS = (7, 50, 2_500, 20)


class LoadKilled(Exception):
    """Simulates a kill between two batches."""


def _count_rows(tenant: TenantRef, actor: Actor) -> tuple[int, int, int, int]:
    with scope(tenant, actor=actor) as s:
        return (
            catalog.count_items(s)[0],
            profiles.count_profiles(s),
            timeline.count_events(s),
            reviews.count_reviews(s),
        )


@pytest.fixture
def load_progress(tmp_path: Path, tenant: TenantRef) -> Callable[[], DemoLoadState]:
    return lambda: DemoLoadState.from_directory(tmp_path / "progress", "shop", tenant.id)


def test_all_rows_are_loaded(
    tenant: TenantRef,
    actor: Actor,
    shop: DemoSpec,
    shop_data: Path,
    load_progress: Callable[[], DemoLoadState],
    silent_report: ProgressCallback,
) -> None:
    load_records(shop, tenant, load_progress(), silent_report, data=shop_data)
    assert _count_rows(tenant, actor) == ALL_ROWS


def test_a_second_load_changes_nothing(
    tenant: TenantRef,
    actor: Actor,
    shop: DemoSpec,
    shop_data: Path,
    load_progress: Callable[[], DemoLoadState],
    silent_report: ProgressCallback,
) -> None:
    for _ in range(2):
        load_records(shop, tenant, load_progress(), silent_report, data=shop_data)
    assert _count_rows(tenant, actor) == ALL_ROWS


def test_a_killed_load_resumes_where_it_stopped(
    tenant: TenantRef,
    actor: Actor,
    shop: DemoSpec,
    shop_data: Path,
    load_progress: Callable[[], DemoLoadState],
    silent_report: ProgressCallback,
) -> None:
    def kill(text: str, fraction: float) -> None:
        if fraction > 0.7:
            raise LoadKilled

    with pytest.raises(LoadKilled):
        load_records(shop, tenant, load_progress(), kill, data=shop_data)
    assert 0 < _count_rows(tenant, actor)[2] < 2_500
    load_records(shop, tenant, load_progress(), silent_report, data=shop_data)
    assert _count_rows(tenant, actor) == ALL_ROWS


def test_a_batch_whose_progress_record_was_lost_is_counted_once(
    tenant: TenantRef,
    actor: Actor,
    shop: DemoSpec,
    shop_data: Path,
    load_progress: Callable[[], DemoLoadState],
    silent_report: ProgressCallback,
) -> None:
    load_records(shop, tenant, load_progress(), silent_report, data=shop_data)
    progress = load_progress()
    progress.committed_batches["events"] -= 1
    load_records(shop, tenant, progress, silent_report, data=shop_data)
    assert _count_rows(tenant, actor) == ALL_ROWS


def test_progress_of_another_database_is_ignored(
    tenant: TenantRef, stranger_tenant: TenantRef, tmp_path: Path
) -> None:
    earlier = DemoLoadState.from_directory(tmp_path, "shop", tenant.id)
    earlier.mark_finished()
    assert DemoLoadState.from_directory(tmp_path, "shop", tenant.id).is_finished
    assert not DemoLoadState.from_directory(tmp_path, "shop", stranger_tenant.id).is_finished


def test_custom_event_kinds_get_their_weight(
    tenant: TenantRef,
    actor: Actor,
    shop: DemoSpec,
    shop_data: Path,
    load_progress: Callable[[], DemoLoadState],
    silent_report: ProgressCallback,
) -> None:
    load_records(shop, tenant, load_progress(), silent_report, data=shop_data)
    with scope(tenant, actor=actor) as s:
        assert tenant_state.get_state(s).event_kinds["glance"].weight == 0.25


def test_a_refused_row_stops_the_load_with_its_reason(
    make_tenant: Callable[..., TenantRef],
    shop: DemoSpec,
    shop_data: Path,
    tmp_path: Path,
    silent_report: ProgressCallback,
) -> None:
    strict = make_tenant(vertical="education")
    progress = DemoLoadState.from_directory(tmp_path / "progress", "strict", strict.id)
    with pytest.raises(DemoError, match="consent_missing"):
        load_records(shop, strict, progress, silent_report, data=shop_data)


def test_the_reported_fraction_never_falls_and_ends_at_one(
    tenant: TenantRef, shop: DemoSpec, shop_data: Path, load_progress: Callable[[], DemoLoadState]
) -> None:
    fractions: list[float] = []
    load_records(
        shop, tenant, load_progress(), lambda _text, fraction: fractions.append(fraction), data=shop_data
    )
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
