"""Ingest, merging, reading, scanning and erasing at the same time lose nothing, double nothing and hide nothing."""

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

pytestmark = [pytest.mark.proof(row=26), pytest.mark.timeout(1800)]
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


def view(number: int, *, profile: str = "ann", event_id: str | None = None, value: float = 0) -> EventInput:
    """`value` tells batches of the same event apart, so that they are not taken for one repeated batch."""
    at = NOW + timedelta(milliseconds=number)
    return EventInput(item_id="mug", kind="view", profile_id=profile, at=at, id=event_id, value=value)


def send(tenant, actor, *events: EventInput) -> int:
    with scope(tenant, actor=actor) as s:
        return record_events(s, events).accepted


def try_to_merge(tenant, actor, profile: str = "ann") -> None:
    with suppress(Conflict), scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, profile)])


class Side:
    """Work repeated in a thread of its own until the block ends; its error is raised there."""

    def __init__(self, work: Callable[[int], object]) -> None:
        self._work, self._stopped, self._error = work, threading.Event(), None
        self.rounds = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Side:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._stopped.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._work(self.rounds)
                self.rounds += 1
        except Exception as error:
            self._error = error
        finally:
            connections.close_all()


def test_merging_while_events_arrive_loses_and_doubles_nothing(tenant, actor, mugs, scale, figure):
    batches = scale(40, 2_000)
    sent = [0, 0]

    def sender(lane: int) -> Callable[[int], object]:
        def work(number: int) -> None:
            if number < batches:
                offset = 10 * (2 * number + lane)
                sent[lane] += send(
                    tenant, actor, *(view(offset + n, event_id=f"{offset + n}") for n in range(10))
                )
            else:
                time.sleep(0.01)

        return work

    with (
        Side(sender(0)) as first_side,
        Side(sender(1)) as two,
        Side(lambda _: try_to_merge(tenant, actor)) as merging,
    ):
        while min(first_side.rounds, two.rounds) < batches:
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


def test_a_chunk_that_lands_between_a_merges_read_and_delete_stays(tenant, actor, mugs, monkeypatch):
    for number in range(4):
        send(tenant, actor, view(number))
    slow = threading.Event()

    def late_ingest() -> None:
        send(tenant, actor, view(10))
        connections.close_all()

    def read_and_wait(*given, **named):
        thread = threading.Thread(target=late_ingest)
        thread.start()
        thread.join()
        slow.set()
        return real(*given, **named)

    real = chunks.read_chunks
    monkeypatch.setattr(merge.chunks, "read_chunks", read_and_wait)
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    monkeypatch.undo()
    with scope(tenant, actor=actor) as s:
        assert slow.is_set()
        assert timeline.count_events(s) == 5


def test_two_merges_of_one_profile_change_nothing_twice(tenant, actor, mugs, scale, figure):
    rounds = scale(5, 100)
    for number in range(rounds):
        for n in range(4):
            send(tenant, actor, view(4 * number + n))
        with Side(lambda _: try_to_merge(tenant, actor)), Side(lambda _: try_to_merge(tenant, actor)):
            time.sleep(0.05)
    with scope(tenant, actor=actor) as s:
        stored = timeline.count_events(s)
    assert figure("events changed by merges racing with each other", abs(stored - 4 * rounds), of=4 * rounds,
                  passes=stored == 4 * rounds)  # fmt: skip


def test_a_reader_beside_merges_always_sees_the_whole_history(tenant, actor, mugs, scale, figure):
    wrong, reads = [], scale(60, 3_000)
    for number in range(40):
        send(tenant, actor, view(number))

    def read() -> int:
        with scope(tenant, actor=actor) as s:
            return int(timeline.load_history(s, derive_profile_key(s, "ann")).events.size)

    def churn(number: int) -> None:
        """A repeat in a chunk of its own, so that there is always something to merge."""
        with suppress(Conflict), scope(tenant, actor=actor) as s:
            merge_profiles(s, [derive_profile_key(s, "ann")])
        send(tenant, actor, view(0, event_id="known", value=number))

    send(tenant, actor, view(0, event_id="known"))
    with Side(churn):
        for _ in range(reads):
            if (size := read()) != 41:
                wrong.append(size)
    assert figure("readings that saw another history during merges", len(wrong), of=reads, passes=not wrong)


def test_a_scan_beside_merges_gives_every_event_once(tenant, actor, mugs, scale, figure):
    names, scans = [f"p{n}" for n in range(12)], scale(5, 100)
    for number in range(8):
        send(tenant, actor, *(view(number, profile=name) for name in names))
    profile_ids = {name: f"known-{name}" for name in names}
    send(tenant, actor, *(view(0, profile=name, event_id=profile_ids[name]) for name in names))
    wrong = []

    def churn(number: int) -> None:
        name = names[number % len(names)]
        send(tenant, actor, view(0, profile=name, event_id=profile_ids[name], value=number))
        try_to_merge(tenant, actor, name)

    with Side(churn):
        for _ in range(scans):
            sizes = [events.size for _, events in timeline.scan_histories(tenant, actor=actor, page_size=7)]
            if sizes != [9] * len(names):
                wrong.append(sizes)
    assert figure("scans that hid or doubled events during merges", len(wrong), of=scans, passes=not wrong)


def test_an_erasure_beside_ingest_and_merges_leaves_nothing(tenant, actor, mugs, scale, figure):
    rounds, remaining = scale(3, 60), 0
    for number in range(rounds):
        name = f"person-{number}"

        def ingest(count: int, name: str = name) -> None:
            send(tenant, actor, view(count, profile=name))

        with Side(ingest), Side(lambda _, name=name: try_to_merge(tenant, actor, name)):
            time.sleep(0.1)
            erase_profile(tenant, name, actor=actor)
        remaining += rows_of(tenant, actor, name)
    assert figure("rows of erased profiles left behind", remaining, of=rounds, passes=remaining == 0)


def rows_of(tenant, actor, profile: str) -> int:
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, profile)
        sql = "SELECT count(*) FROM {} WHERE tenant_id = %s AND profile_key = %s"
        return sum(s.cursor().execute(sql.format(t), (tenant.id, key)).fetchone()[0] for t in TABLES)


def test_one_event_sent_by_everybody_at_once_counts_once(tenant, actor, mugs, scale, figure):
    rounds = scale(3, 50)
    for number in range(rounds):
        # Each sender adds an event of its own, so that no batch repeats another.
        barrier = threading.Barrier(6)

        def deliver(lane: int, number: int = number, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            send(
                tenant,
                actor,
                view(number, event_id=f"same-{number}"),
                view(lane, event_id=f"{number}-{lane}"),
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
def during_an_erasure(tenant, actor, mugs, monkeypatch):
    """`run(work)` erases ann while `work(s, pause)` runs in a thread: it begins once the tombstone stands and older
    transactions have ended; the deletion goes on when it calls `pause`, which lasts as long as `wait` does."""

    def run(work: Callable[..., None], wait: Callable[[threading.Event], object]) -> int:
        for number in range(4):
            send(tenant, actor, view(number))
        paused, erased = threading.Event(), threading.Event()

        def pause() -> None:
            paused.set()
            wait(erased)

        def in_thread() -> None:
            with suppress(Conflict), scope(tenant, actor=actor) as s:
                work(s, pause)
            connections.close_all()

        thread = threading.Thread(target=in_thread)

        def then_start(*given, **named) -> None:
            real(*given, **named)
            thread.start()
            paused.wait(10)

        real = erasure._wait_for_older_transactions
        monkeypatch.setattr(erasure, "_wait_for_older_transactions", then_start)
        erase_profile(tenant, "ann", actor=actor)
        erased.set()
        thread.join()
        return rows_of(tenant, actor, "ann")

    return run


def test_an_erasure_that_wins_over_a_merge_is_final(during_an_erasure, monkeypatch):
    def merge_slowly(s, pause) -> None:
        def read_and_pause(*given, **named):
            rows = list(real(*given, **named))
            pause()
            return rows

        monkeypatch.setattr(merge.chunks, "read_chunks", read_and_pause)
        merge_profiles(s, [derive_profile_key(s, "ann")])

    real = chunks.read_chunks
    assert during_an_erasure(merge_slowly, lambda erased: erased.wait(10)) == 0


def test_a_merge_that_wins_over_an_erasure_is_erased_too(during_an_erasure):
    def merge_and_linger(s, pause) -> None:
        merge_profiles(s, [derive_profile_key(s, "ann")])
        pause()

    assert during_an_erasure(merge_and_linger, lambda _erased: time.sleep(0.3)) == 0
