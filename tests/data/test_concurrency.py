"""Concurrent ingest, merges, reads, scans and erasures lose, duplicate and hide no event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from tenants.data.actions import chunks, merge
from tenants.data.actions.events import record_events
from tenants.data.actions.merge import merge_profiles
from tenants.data.queries import timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput
from tenants.errors import Conflict
from tenants.privacy import erasure
from tenants.privacy.erasure import TABLES, erase_profile
from tenants.scope import scope
from tests.data.background_task import BackgroundTask

pytestmark = [pytest.mark.proof(row=26), pytest.mark.timeout(1800)]
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


def build_view(
    number: int, *, profile: str = "ann", event_id: str | None = None, value: float = 0
) -> EventInput:
    """A different `value` makes batches with the same event distinct, so that they are no repeated batch."""
    at = NOW + timedelta(milliseconds=number)
    return EventInput(item_id="mug", kind="view", profile_id=profile, at=at, id=event_id, value=value)


def send(tenant, actor, *events: EventInput) -> int:
    with scope(tenant, actor=actor) as s:
        return record_events(s, events).accepted


def try_to_merge(tenant, actor, profile: str = "ann") -> None:
    with suppress(Conflict), scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, profile)])


def test_merges_during_ingest_lose_and_duplicate_no_event(tenant, actor, mugs, scale, figure):
    batches = scale(40, 2_000)
    sent = [0, 0]

    def build_sender(lane: int) -> Callable[[int], object]:
        def work(number: int) -> None:
            if number < batches:
                offset = 10 * (2 * number + lane)
                sent[lane] += send(
                    tenant, actor, *(build_view(offset + n, event_id=f"{offset + n}") for n in range(10))
                )
            else:
                time.sleep(0.01)

        return work

    with (
        BackgroundTask(build_sender(0)) as first_sender,
        BackgroundTask(build_sender(1)) as second_sender,
        BackgroundTask(lambda _: try_to_merge(tenant, actor)) as merging,
    ):
        while min(first_sender.rounds, second_sender.rounds) < batches:
            time.sleep(0.02)
    try_to_merge(tenant, actor)
    with scope(tenant, actor=actor) as s:
        stored, read = (
            timeline.count_events(s),
            timeline.load_history(s, derive_profile_key(s, "ann"), limit=10**6).events.size,
        )
    assert merging.rounds > 1
    assert figure("events lost or doubled by merges racing with ingest", abs(stored - sum(sent)), of=sum(sent),
                  passes=stored == sum(sent) == 20 * batches)  # fmt: skip
    assert read <= stored


def test_a_chunk_inserted_between_the_read_and_delete_of_a_merge_is_not_deleted(
    tenant, actor, mugs, monkeypatch
):
    for number in range(4):
        send(tenant, actor, build_view(number))
    ingested = threading.Event()

    def ingest_in_thread() -> None:
        send(tenant, actor, build_view(10))
        connections.close_all()

    def read_and_wait(*args, **kwargs):
        thread = threading.Thread(target=ingest_in_thread)
        thread.start()
        thread.join()
        ingested.set()
        return original(*args, **kwargs)

    original = chunks.read_chunks
    monkeypatch.setattr(merge.chunks, "read_chunks", read_and_wait)
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    monkeypatch.undo()
    with scope(tenant, actor=actor) as s:
        assert ingested.is_set()
        assert timeline.count_events(s) == 5


def test_concurrent_merges_of_one_profile_keep_every_event(tenant, actor, mugs, scale, figure):
    rounds = scale(5, 100)
    for number in range(rounds):
        for n in range(4):
            send(tenant, actor, build_view(4 * number + n))
        with (
            BackgroundTask(lambda _: try_to_merge(tenant, actor)),
            BackgroundTask(lambda _: try_to_merge(tenant, actor)),
        ):
            time.sleep(0.05)
    with scope(tenant, actor=actor) as s:
        stored = timeline.count_events(s)
    assert figure("events changed by merges racing with each other", abs(stored - 4 * rounds), of=4 * rounds,
                  passes=stored == 4 * rounds)  # fmt: skip


def test_a_reader_during_merges_sees_the_complete_history(tenant, actor, mugs, scale, figure):
    wrong_results, reads = [], scale(60, 3_000)
    for number in range(40):
        send(tenant, actor, build_view(number))

    def read() -> int:
        with scope(tenant, actor=actor) as s:
            return int(timeline.load_history(s, derive_profile_key(s, "ann")).events.size)

    def send_and_merge(number: int) -> None:
        """Sends a repeated event as a new chunk, so that there is always something to merge."""
        with suppress(Conflict), scope(tenant, actor=actor) as s:
            merge_profiles(s, [derive_profile_key(s, "ann")])
        send(tenant, actor, build_view(0, event_id="known", value=number))

    send(tenant, actor, build_view(0, event_id="known"))
    with BackgroundTask(send_and_merge):
        for _ in range(reads):
            if (size := read()) != 41:
                wrong_results.append(size)
    assert figure(
        "readings that saw another history during merges",
        len(wrong_results),
        of=reads,
        passes=not wrong_results,
    )


def test_a_scan_during_merges_returns_every_event_once(tenant, actor, mugs, scale, figure):
    names, scans = [f"p{n}" for n in range(12)], scale(5, 100)
    for number in range(8):
        send(tenant, actor, *(build_view(number, profile=name) for name in names))
    profile_ids = {name: f"known-{name}" for name in names}
    send(tenant, actor, *(build_view(0, profile=name, event_id=profile_ids[name]) for name in names))
    wrong_results = []

    def send_and_merge(number: int) -> None:
        name = names[number % len(names)]
        send(tenant, actor, build_view(0, profile=name, event_id=profile_ids[name], value=number))
        try_to_merge(tenant, actor, name)

    with BackgroundTask(send_and_merge):
        for _ in range(scans):
            sizes = [events.size for _, events in timeline.scan_histories(tenant, actor=actor, page_size=7)]
            if sizes != [9] * len(names):
                wrong_results.append(sizes)
    assert figure(
        "scans that hid or doubled events during merges",
        len(wrong_results),
        of=scans,
        passes=not wrong_results,
    )


def test_an_erasure_during_ingest_and_merges_leaves_no_rows(tenant, actor, mugs, scale, figure):
    rounds, remaining = scale(3, 60), 0
    for number in range(rounds):
        name = f"person-{number}"

        def ingest(count: int, name: str = name) -> None:
            send(tenant, actor, build_view(count, profile=name))

        with BackgroundTask(ingest), BackgroundTask(lambda _, name=name: try_to_merge(tenant, actor, name)):
            time.sleep(0.1)
            erase_profile(tenant, name, actor=actor)
        remaining += count_rows(tenant, actor, name)
    assert figure("rows of erased profiles left behind", remaining, of=rounds, passes=remaining == 0)


def count_rows(tenant, actor, profile: str) -> int:
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, profile)
        sql = "SELECT count(*) FROM {} WHERE tenant_id = %s AND profile_key = %s"
        return sum(s.cursor().execute(sql.format(t), (tenant.id, key)).fetchone()[0] for t in TABLES)


def test_an_event_sent_concurrently_counts_once(tenant, actor, mugs, scale, figure):
    rounds = scale(3, 50)
    for number in range(rounds):
        # Each sender adds a distinct event, so that no batch repeats another.
        barrier = threading.Barrier(6)

        def deliver(lane: int, number: int = number, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            send(
                tenant,
                actor,
                build_view(number, event_id=f"same-{number}"),
                build_view(lane, event_id=f"{number}-{lane}"),
            )
            connections.close_all()

        threads = [threading.Thread(target=deliver, args=(lane,)) for lane in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    try_to_merge(tenant, actor)
    with scope(tenant, actor=actor) as s:
        stored = timeline.count_events(s)
    assert figure("events counted twice though six senders had each", stored - 7 * rounds, of=7 * rounds,
                  passes=stored == 7 * rounds)  # fmt: skip


@pytest.fixture
def run_during_erasure(tenant, actor, mugs, monkeypatch):
    """`run(work, wait)` erases ann while `work(s, pause)` runs in a thread, and returns the remaining rows.

    `work` starts when the tombstone is stored and older transactions have ended.
    The deletion continues when `work` calls `pause`. `pause` blocks as long as `wait` does.
    """

    def run(work: Callable[..., None], wait: Callable[[threading.Event], object]) -> int:
        for number in range(4):
            send(tenant, actor, build_view(number))
        paused, erased = threading.Event(), threading.Event()

        def pause() -> None:
            paused.set()
            wait(erased)

        def run_in_thread() -> None:
            with suppress(Conflict), scope(tenant, actor=actor) as s:
                work(s, pause)
            connections.close_all()

        thread = threading.Thread(target=run_in_thread)

        def wait_and_start(*args, **kwargs) -> None:
            original(*args, **kwargs)
            thread.start()
            paused.wait(10)

        original = erasure._wait_for_older_transactions
        monkeypatch.setattr(erasure, "_wait_for_older_transactions", wait_and_start)
        erase_profile(tenant, "ann", actor=actor)
        erased.set()
        thread.join()
        return count_rows(tenant, actor, "ann")

    return run


def test_an_erasure_that_commits_before_a_merge_leaves_no_rows(run_during_erasure, monkeypatch):
    def merge_slowly(s, pause) -> None:
        def read_and_pause(*args, **kwargs):
            rows = list(original(*args, **kwargs))
            pause()
            return rows

        monkeypatch.setattr(merge.chunks, "read_chunks", read_and_pause)
        merge_profiles(s, [derive_profile_key(s, "ann")])

    original = chunks.read_chunks
    assert run_during_erasure(merge_slowly, lambda erased: erased.wait(10)) == 0


def test_a_merge_that_commits_before_an_erasure_is_erased(run_during_erasure):
    def merge_and_pause(s, pause) -> None:
        merge_profiles(s, [derive_profile_key(s, "ann")])
        pause()

    assert run_during_erasure(merge_and_pause, lambda _erased: time.sleep(0.3)) == 0
