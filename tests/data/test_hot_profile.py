"""A profile with very many events is stored, read and scanned in bounded time and memory."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from tenants.data.actions.events import record_events
from tenants.data.actions.merge import find_merge_candidates, merge_profiles
from tenants.data.queries import timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput
from tenants.scope import scope

pytestmark = [pytest.mark.proof(row=26), pytest.mark.timeout(3600)]
BATCH = 1_000
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)


def fill(tenant, actor, batches: int, size: int) -> None:
    for number in range(batches):
        times = (START + timedelta(seconds=number * size + n) for n in range(size))
        events = [EventInput(item_id="mug", kind="view", profile_id="hot", at=at) for at in times]
        with scope(tenant, actor=actor) as s:
            assert record_events(s, events).accepted == size


def merge_all(tenant, actor) -> float:
    """Merges until the profile needs no more merge, and returns the seconds."""
    started, more = time.perf_counter(), True
    while more:
        with scope(tenant, actor=actor) as s:
            more = merge_profiles(s, [derive_profile_key(s, "hot")]).unfinished_keys
    return time.perf_counter() - started


def measure_tail_ms(tenant, actor) -> float:
    durations = []
    for _ in range(20):
        with scope(tenant, actor=actor) as s:
            started = time.perf_counter()
            assert timeline.load_history(s, derive_profile_key(s, "hot")).events.size >= 512
            durations.append((time.perf_counter() - started) * 1000)
    return median(durations)


def test_reading_the_tail_of_a_profile_with_a_million_events_is_fast(tenant, actor, mugs, scale, figure):
    batches = scale(6, 1_000)
    fill(tenant, actor, batches, BATCH)
    seconds = merge_all(tenant, actor)
    with scope(tenant, actor=actor) as s:
        assert timeline.count_events(s) == batches * BATCH
        assert find_merge_candidates(s) == []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sizes = [events.size for _, events in timeline.scan_histories(tenant, actor=actor, page_size=500)]
    growth_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    tail = measure_tail_ms(tenant, actor)
    assert sizes == [batches * BATCH]
    assert figure(
        "seconds to merge the hot profile", round(seconds, 1), of=batches * BATCH, passes=seconds < 900
    )
    assert figure("ms to read the tail of the hot profile", round(tail, 2), passes=tail < 50)
    assert figure("MiB by which reading all of it grew memory", round(growth_mib), passes=growth_mib < 512)


def test_many_single_events_are_merged_into_few_chunks(tenant, actor, mugs, scale, figure):
    events = scale(60, 20_000)
    fill(tenant, actor, events, 1)
    seconds = merge_all(tenant, actor)
    with scope(tenant, actor=actor) as s:
        (chunks,) = (
            s.cursor()
            .execute("SELECT count(*) FROM data_timeline WHERE tenant_id = %s", (tenant.id,))
            .fetchone()
        )
        assert timeline.count_events(s) == events
    assert figure("chunks left of single-event chunks", chunks, of=events, passes=chunks <= events // 512 + 1)
    assert figure("seconds to merge them", round(seconds, 1), of=events, passes=seconds < 900)
