"""Tenants share pools, threads and workers. No claim, row or scope of one tenant reaches another."""

from __future__ import annotations

import random
import threading
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from lepton_platform import wsgi_handlers
from tenants.data.actions.catalog import upsert_items
from tenants.data.types import ItemInput
from tenants.scope import scope
from tests.isolation.celery_worker import run_worker
from tests.isolation.traffic import ITEMS, TRAFFIC_MIX, Traffic, TrafficClient

pytestmark = pytest.mark.proof(row=4)

TENANTS, WEB_THREADS, TASK_THREADS = 8, 4, 2
CLAIM = "SELECT coalesce(current_setting('app.scope', true), '')"


@pytest.fixture
def clients(make_tenant, api, actor) -> list[TrafficClient]:
    traffic_clients = []
    for number in range(TENANTS):
        tenant, prefix = make_tenant(plan="enterprise"), f"item-of-{number}"
        with scope(tenant, actor=actor) as s:
            upsert_items(s, [ItemInput(id=f"{prefix}-{n}") for n in range(ITEMS)])
        traffic_clients.append(TrafficClient(tenant, api(tenant).key, prefix))
    return traffic_clients


@pytest.fixture
def traffic(settings, clients, services) -> Traffic:
    settings.ROOT_URLCONF = "tests.isolation.streaming_urls"
    name = settings.DATABASES["data_eu"]["NAME"]
    return Traffic(wsgi_handlers.build_application(), clients, lambda: services.postgres.connect(name))


@pytest.fixture
def claims_at_checkout(monkeypatch) -> list[str]:
    """The claim of each connection when a pool hands it out."""
    claims: list[str] = []
    original_getconn = ConnectionPool.getconn

    def get_connection(pool: ConnectionPool[Any], timeout: float | None = None) -> psycopg.Connection[Any]:
        connection = original_getconn(pool, timeout)
        claims.append(connection.execute(CLAIM).fetchone()[0])
        connection.rollback()
        return connection

    monkeypatch.setattr(ConnectionPool, "getconn", get_connection)
    return claims


def build_schedule(traffic: Traffic, count: int) -> list[tuple[str, TrafficClient, TrafficClient]]:
    """A random order of turns with two tenants each. Every kind occurs at its share, and at least once."""
    rng = random.Random(4)
    kinds = [kind for kind, fraction in TRAFFIC_MIX.items() for _ in range(max(1, round(fraction * count)))]
    rng.shuffle(kinds)
    return [(kind, *rng.sample(traffic.clients, 2)) for kind in kinds]


def run_schedule(traffic: Traffic, turns: list[tuple[str, TrafficClient, TrafficClient]]) -> None:
    """Runs the turns on several web threads and a worker. Returns when the last task has ended."""

    def run_turns(thread_turns: list[tuple[str, TrafficClient, TrafficClient]]) -> None:
        for turn in thread_turns:
            traffic.run_turn(*turn)

    threads = [threading.Thread(target=run_turns, args=(turns[n::WEB_THREADS],)) for n in range(WEB_THREADS)]
    with run_worker(TASK_THREADS):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for kind, *_ in turns:
            if "task" in kind:
                assert traffic.tasks_ended.acquire(timeout=60), "a task did not end"


@pytest.mark.timeout(1500)
def test_no_row_claim_or_scope_reaches_the_next_tenant(traffic, claims_at_checkout, scale, figure):
    turns = build_schedule(traffic, scale(200, 10_000))
    run_schedule(traffic, turns)
    n_turns = len(turns)
    raising = sum(count for kind, count in traffic.turn_counts.items() if kind.startswith("raising"))
    stopped = sum(traffic.turn_counts[kind] for kind in list(TRAFFIC_MIX)[-4:])
    leaks = {
        "requests and tasks that saw a wrong or missing row": traffic.row_errors,
        "scopes or transactions that survived their turn": traffic.leaked_scopes,
        "turns that failed otherwise than meant": traffic.unexpected_errors,
    }
    for what, cases in leaks.items():
        assert figure(what, len(cases), of=n_turns, passes=not cases), cases[:5]
    dirty = [claim for claim in claims_at_checkout if claim]
    assert figure(
        "connections with a claim at check-out", len(dirty), of=len(claims_at_checkout), passes=not dirty
    )
    assert figure("share of turns that raised", raising / n_turns, passes=raising / n_turns >= 0.09)
    assert figure("share of turns that were cancelled", stopped / n_turns, passes=stopped / n_turns >= 0.045)
