"""One token bucket for each tenant, taken from atomically in Valkey.

A process takes a few tokens at a time and gives them out for a second, so that most calls need no round trip;
what it has not given out by then is lost, never more than was taken. Without Valkey each process keeps buckets
of its own: the limit then holds for each process.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

# The clock is the server's, so that processes with different clocks share one bucket.
_TAKE = """
local capacity, rate, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HMGET', KEYS[1], 't', 'at')
local tokens, at = tonumber(state[1]) or capacity, tonumber(state[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate / 1000)
local taken = 0
if tokens >= 1 then taken = 1 + math.min(most - 1, math.floor((tokens - 1) / 8)) end
tokens = tokens - taken
redis.call('HSET', KEYS[1], 't', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000) + 1000)
return {taken, tostring(tokens)}
"""
_MOST_KEYS = 4096
_LEASE_TOKENS = 16
_LEASE_SECONDS = 1.0
_RECONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket of `capacity` calls that refills at `per_second`."""

    capacity: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Verdict:
    allowed: bool
    limit: Limit
    tokens: float

    @property
    def retry_after_seconds(self) -> float:
        return max(0.0, (1 - self.tokens) / self.limit.per_second)

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (IETF httpapi draft); seconds until the bucket is full again."""
        window = math.ceil(self.limit.capacity / self.limit.per_second)
        full_in = math.ceil((self.limit.capacity - self.tokens) / self.limit.per_second)
        return {
            "RateLimit-Policy": f'"plan";q={self.limit.capacity};w={window}',
            "RateLimit": f'"plan";r={max(0, int(self.tokens))};t={full_in}',
        }


def take(key: str, limit: Limit) -> Verdict:
    """One token; never more in total than capacity and refill allow."""
    if (verdict := _leases.take(key, limit)) is not None:
        return verdict
    if time.monotonic() >= _local.until:
        try:
            arguments = [limit.capacity, limit.per_second, _LEASE_TOKENS]
            taken, tokens = _script()(keys=[f"lepton:rate:{key}"], args=arguments)
            return _leases.store(key, limit, int(taken), float(tokens))
        except redis.RedisError as error:
            _local.until = time.monotonic() + _RECONNECT_SECONDS
            log.warning("rate_limit_local", error=type(error).__name__)
    return _local.take(key, limit)


@lru_cache(maxsize=1)
def _script() -> Any:
    url: str = settings.LEPTON_VALKEY_URL
    client = redis.Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25)
    return client.register_script(_TAKE)


@dataclass(slots=True)
class _Lease:
    limit: Limit
    left: int
    in_bucket: float
    until: float


@dataclass(slots=True)
class _Leases:
    """Tokens that this process has taken and not yet given out."""

    held: OrderedDict[str, _Lease] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, limit: Limit) -> Verdict | None:
        """None when the bucket itself has to be asked."""
        with self.lock:
            lease = self.held.get(key)
            if lease is None or lease.left < 1 or lease.limit != limit or time.monotonic() >= lease.until:
                return None
            lease.left -= 1
            return Verdict(True, limit, lease.in_bucket + lease.left)

    def store(self, key: str, limit: Limit, taken: int, in_bucket: float) -> Verdict:
        """Keeps all but one of the tokens taken; adds them to what another thread has stored meanwhile."""
        if taken == 0:
            return Verdict(False, limit, in_bucket)
        with self.lock:
            now = time.monotonic()
            old = self.held.pop(key, None)
            kept = old.left if old and old.limit == limit and now < old.until else 0
            left = kept + taken - 1
            self.held[key] = _Lease(limit, left, in_bucket, now + _LEASE_SECONDS)
            if len(self.held) > _MOST_KEYS:
                self.held.popitem(last=False)
        return Verdict(True, limit, in_bucket + left)


@dataclass(slots=True)
class _LocalBuckets:
    until: float = 0.0
    buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, limit: Limit) -> Verdict:
        now = time.monotonic()
        with self.lock:
            tokens, at = self.buckets.get(key, (float(limit.capacity), now))
            tokens = min(limit.capacity, tokens + (now - at) * limit.per_second)
            allowed = tokens >= 1
            tokens -= allowed
            self.buckets[key] = (tokens, now)
            self.buckets.move_to_end(key)
            if len(self.buckets) > _MOST_KEYS:
                self.buckets.popitem(last=False)
        return Verdict(allowed, limit, tokens)


_leases = _Leases()
_local = _LocalBuckets()
