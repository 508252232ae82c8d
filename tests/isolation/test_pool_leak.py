"""Tenants share pools, threads and workers; no claim, row or scope of one reaches another."""

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
from tests.isolation.celery_worker import worker
from tests.isolation.traffic import ITEMS, SHARES, Client, Traffic

pytestmark = pytest.mark.proof(row=4)

TENANTS, WEB_THREADS, TASK_THREADS = 8, 4, 2
CLAIM = "SELECT coalesce(current_setting('app.scope', true), '')"


@pytest.fixture
def clients(make_tenant, api, actor) -> list[Client]:
    requests = []
    for number in range(TENANTS):
        ref, prefix = make_tenant(plan="enterprise"), f"item-of-{number}"
        with scope(ref, actor=actor) as s:
            upsert_items(s, [ItemInput(id=f"{prefix}-{n}") for n in range(ITEMS)])
        requests.append(Client(ref, api(ref).key, prefix))
    return requests


@pytest.fixture
def traffic(settings, clients, services) -> Traffic:
    settings.ROOT_URLCONF = "tests.isolation.site"
    name = settings.DATABASES["data_eu"]["NAME"]
    return Traffic(wsgi_handlers.build_application(), clients, lambda: services.postgres.connect(name))


@pytest.fixture
def checked_out(monkeypatch) -> list[str]:
    """The claim that each connection still has when a pool hands it out."""
    claims: list[str] = []
    hand_out = ConnectionPool.getconn

    def asked(pool: ConnectionPool[Any], timeout: float | None = None) -> psycopg.Connection[Any]:
        connection = hand_out(pool, timeout)
        claims.append(connection.execute(CLAIM).fetchone()[0])
        connection.rollback()
        return connection

    monkeypatch.setattr(ConnectionPool, "getconn", asked)
    return claims


def schedule(traffic: Traffic, count: int) -> list[tuple[str, Client, Client]]:
    """Every kind in its share, at least once, in a random order; each turn with two tenants."""
    rng = random.Random(4)
    kinds = [kind for kind, fraction in SHARES.items() for _ in range(max(1, round(fraction * count)))]
    rng.shuffle(kinds)
    return [(kind, *rng.sample(traffic.clients, 2)) for kind in kinds]


def drive(traffic: Traffic, turns: list[tuple[str, Client, Client]]) -> None:
    """Several web threads and a worker; returns when the last task has ended."""

    def serve(mine: list[tuple[str, Client, Client]]) -> None:
        for turn in mine:
            traffic.turn(*turn)

    threads = [threading.Thread(target=serve, args=(turns[n::WEB_THREADS],)) for n in range(WEB_THREADS)]
    with worker(TASK_THREADS):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for kind, *_ in turns:
            if "task" in kind:
                assert traffic.tasks_ended.acquire(timeout=60), "a task did not end"


@pytest.mark.timeout(1500)
def test_no_row_claim_or_scope_reaches_the_next_tenant(traffic, checked_out, scale, figure):
    turns = schedule(traffic, scale(200, 10_000))
    drive(traffic, turns)
    of = len(turns)
    raising = sum(count for kind, count in traffic.done.items() if kind.startswith("raising"))
    stopped = sum(traffic.done[kind] for kind in list(SHARES)[-4:])
    leaks = {
        "requests and tasks that saw a wrong or missing row": traffic.wrong,
        "scopes or transactions that survived their turn": traffic.survived,
        "turns that failed otherwise than meant": traffic.unexpected,
    }
    for what, cases in leaks.items():
        assert figure(what, len(cases), of=of, passes=not cases), cases[:5]
    dirty = [claim for claim in checked_out if claim]
    assert figure("connections with a claim at check-out", len(dirty), of=len(checked_out), passes=not dirty)
    assert figure("share of turns that raised", raising / of, passes=raising / of >= 0.09)
    assert figure("share of turns that were cancelled", stopped / of, passes=stopped / of >= 0.045)
