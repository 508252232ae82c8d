from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis

from lepton_platform.api import throttling
from lepton_platform.api.throttling import Limit, take
from tenants.regions import TenantRef

BUCKET = Limit(capacity=100, per_second=10.0)


@pytest.mark.parametrize("attempt", range(5))
def test_parallel_calls_never_get_more_than_the_bucket_and_its_refill(services: Any, attempt: int) -> None:
    key, started = uuid4().hex, time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        verdicts = [*pool.map(lambda _: take(key, BUCKET), range(200))]
    refill = (time.monotonic() - started) * BUCKET.per_second
    assert 100 <= sum(verdict.allowed for verdict in verdicts) <= 100 + refill + 1


def test_an_empty_bucket_refills(services: Any) -> None:
    key, limit = uuid4().hex, Limit(capacity=1, per_second=20.0)
    first, second = take(key, limit), take(key, limit)
    time.sleep(second.retry_after_seconds + 0.01)
    assert (first.allowed, second.allowed, take(key, limit).allowed) == (True, False, True)


def test_tenants_have_buckets_of_their_own(services: Any) -> None:
    limit = Limit(capacity=1, per_second=0.1)
    assert (take(uuid4().hex, limit).allowed, take(uuid4().hex, limit).allowed) == (True, True)


def test_without_valkey_the_process_limits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> Any:
        raise redis.ConnectionError

    monkeypatch.setattr(throttling, "_script", down)
    monkeypatch.setattr(throttling, "_local", throttling._LocalBuckets())
    key = uuid4().hex
    assert sum(take(key, Limit(capacity=10, per_second=0.01)).allowed for _ in range(50)) == 10


def test_over_the_plans_rate_is_429_with_retry_after(
    api: Callable[..., Any], make_tenant: Callable[..., TenantRef]
) -> None:
    client = api(make_tenant(plan="free"))
    answers = [client.get("/api/v1/jobs/none") for _ in range(80)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused != []
    assert refused[0].json()["code"] == "quota_exceeded"
    assert int(refused[0]["Retry-After"]) >= 1


def test_every_answer_tells_the_limit_and_what_is_left(owner: Any) -> None:
    first, second = owner.get("/api/v1/tenant"), owner.get("/api/v1/items/none")
    assert first["RateLimit-Policy"] == '"plan";q=400;w=2'
    assert (first["RateLimit"], second.status_code) == ('"plan";r=399;t=1', 404)
    assert second["RateLimit"].startswith('"plan";r=39')


def test_processes_share_one_bucket(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key, limit, allowed = uuid4().hex, Limit(capacity=50, per_second=0.01), 0
    processes = [throttling._Leases() for _ in range(4)]
    for call in range(200):
        monkeypatch.setattr(throttling, "_leases", processes[call % 4])
        allowed += take(key, limit).allowed
    assert allowed == 50


def test_tokens_that_were_not_given_out_in_time_are_lost(
    services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "_LEASE_SECONDS", 0.0)
    key, limit = uuid4().hex, Limit(capacity=100, per_second=0.01)
    assert sum(take(key, limit).allowed for _ in range(100)) < 100
