from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis

from lepton_platform.api import throttling
from lepton_platform.api.throttling import RateLimit, acquire_token
from tenants.regions import TenantRef

BUCKET = RateLimit(capacity=100, refill_per_second=10.0)


@pytest.mark.parametrize("attempt", range(5))
def test_parallel_calls_never_get_more_than_the_bucket_and_its_refill(services: Any, attempt: int) -> None:
    key, started = uuid4().hex, time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        statuses = [*pool.map(lambda _: acquire_token(key, BUCKET), range(200))]
    refill = (time.monotonic() - started) * BUCKET.refill_per_second
    assert 100 <= sum(status.allowed for status in statuses) <= 100 + refill + 1


def test_an_empty_bucket_refills(services: Any) -> None:
    key, limit = uuid4().hex, RateLimit(capacity=1, refill_per_second=20.0)
    first_response, second_response = acquire_token(key, limit), acquire_token(key, limit)
    time.sleep(second_response.retry_after_seconds + 0.01)
    assert (first_response.allowed, second_response.allowed, acquire_token(key, limit).allowed) == (
        True,
        False,
        True,
    )


def test_tenants_have_buckets_of_their_own(services: Any) -> None:
    limit = RateLimit(capacity=1, refill_per_second=0.1)
    assert (acquire_token(uuid4().hex, limit).allowed, acquire_token(uuid4().hex, limit).allowed) == (
        True,
        True,
    )


def test_without_valkey_the_process_limits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> Any:
        raise redis.ConnectionError

    monkeypatch.setattr(throttling, "_load_script", down)
    monkeypatch.setattr(throttling, "_local", throttling._LocalBuckets())
    key = uuid4().hex
    assert (
        sum(acquire_token(key, RateLimit(capacity=10, refill_per_second=0.01)).allowed for _ in range(50))
        == 10
    )


def test_over_the_plans_rate_is_429_with_retry_after(
    api: Callable[..., Any], make_tenant: Callable[..., TenantRef]
) -> None:
    client = api(make_tenant(plan="free"))
    responses = [client.get("/api/v1/jobs/none") for _ in range(80)]
    refused = [response for response in responses if response.status_code == 429]
    assert refused != []
    assert refused[0].json()["code"] == "quota_exceeded"
    assert int(refused[0]["Retry-After"]) >= 1


def test_every_answer_tells_the_limit_and_what_is_left(owner: Any) -> None:
    first_response, second_response = owner.get("/api/v1/tenant"), owner.get("/api/v1/items/none")
    assert first_response["RateLimit-Policy"] == '"plan";q=400;w=2'
    assert (first_response["RateLimit"], second_response.status_code) == ('"plan";r=399;t=1', 404)
    assert second_response["RateLimit"].startswith('"plan";r=39')


def test_processes_share_one_bucket(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key, limit, allowed = uuid4().hex, RateLimit(capacity=50, refill_per_second=0.01), 0
    processes = [throttling._TokenLeases() for _ in range(4)]
    for call in range(200):
        monkeypatch.setattr(throttling, "_leases", processes[call % 4])
        allowed += acquire_token(key, limit).allowed
    assert allowed == 50


def test_tokens_that_were_not_given_out_in_time_are_lost(
    services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "_LEASE_SECONDS", 0.0)
    key, limit = uuid4().hex, RateLimit(capacity=100, refill_per_second=0.01)
    assert sum(acquire_token(key, limit).allowed for _ in range(100)) < 100
