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
_ACQUIRE_SCRIPT = """
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
_MAX_KEYS = 4096
_LEASE_TOKENS = 16
_LEASE_SECONDS = 1.0
_RECONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A bucket of `capacity` calls that refills at `per_second`."""

    capacity: int
    refill_per_second: float


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    allowed: bool
    limit: RateLimit
    tokens: float

    @property
    def retry_after_seconds(self) -> float:
        return max(0.0, (1 - self.tokens) / self.limit.refill_per_second)

    def build_headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (IETF httpapi draft); seconds until the bucket is full again."""
        window = math.ceil(self.limit.capacity / self.limit.refill_per_second)
        full_in = math.ceil((self.limit.capacity - self.tokens) / self.limit.refill_per_second)
        return {
            "RateLimit-Policy": f'"plan";q={self.limit.capacity};w={window}',
            "RateLimit": f'"plan";r={max(0, int(self.tokens))};t={full_in}',
        }


def acquire_token(key: str, limit: RateLimit) -> RateLimitStatus:
    """One token; never more in total than capacity and refill allow."""
    if (verdict := _leases.acquire(key, limit)) is not None:
        return verdict
    if time.monotonic() >= _local.reconnect_at:
        try:
            arguments = [limit.capacity, limit.refill_per_second, _LEASE_TOKENS]
            taken, tokens = _load_script()(keys=[f"lepton:rate:{key}"], args=arguments)
            return _leases.store(key, limit, int(taken), float(tokens))
        except redis.RedisError as error:
            _local.reconnect_at = time.monotonic() + _RECONNECT_SECONDS
            log.warning("rate_limit_local", error=type(error).__name__)
    return _local.acquire(key, limit)


@lru_cache(maxsize=1)
def _load_script() -> Any:
    url: str = settings.LEPTON_VALKEY_URL
    client = redis.Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25)
    return client.register_script(_ACQUIRE_SCRIPT)


@dataclass(slots=True)
class _TokenLease:
    limit: RateLimit
    remaining: int
    bucket_tokens: float
    expires_at: float


@dataclass(slots=True)
class _TokenLeases:
    """Tokens that this process has taken and not yet given out."""

    leases: OrderedDict[str, _TokenLease] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, key: str, limit: RateLimit) -> RateLimitStatus | None:
        """None when the bucket itself has to be asked."""
        with self.lock:
            lease = self.leases.get(key)
            if (
                lease is None
                or lease.remaining < 1
                or lease.limit != limit
                or time.monotonic() >= lease.expires_at
            ):
                return None
            lease.remaining -= 1
            return RateLimitStatus(True, limit, lease.bucket_tokens + lease.remaining)

    def store(self, key: str, limit: RateLimit, acquired: int, bucket_tokens: float) -> RateLimitStatus:
        """Keeps all but one of the tokens taken; adds them to what another thread has stored meanwhile."""
        if acquired == 0:
            return RateLimitStatus(False, limit, bucket_tokens)
        with self.lock:
            now = time.monotonic()
            old = self.leases.pop(key, None)
            kept = old.remaining if old and old.limit == limit and now < old.expires_at else 0
            left = kept + acquired - 1
            self.leases[key] = _TokenLease(limit, left, bucket_tokens, now + _LEASE_SECONDS)
            if len(self.leases) > _MAX_KEYS:
                self.leases.popitem(last=False)
        return RateLimitStatus(True, limit, bucket_tokens + left)


@dataclass(slots=True)
class _LocalBuckets:
    reconnect_at: float = 0.0
    buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, key: str, limit: RateLimit) -> RateLimitStatus:
        now = time.monotonic()
        with self.lock:
            tokens, at = self.buckets.get(key, (float(limit.capacity), now))
            tokens = min(limit.capacity, tokens + (now - at) * limit.refill_per_second)
            allowed = tokens >= 1
            tokens -= allowed
            self.buckets[key] = (tokens, now)
            self.buckets.move_to_end(key)
            if len(self.buckets) > _MAX_KEYS:
                self.buckets.popitem(last=False)
        return RateLimitStatus(allowed, limit, tokens)


_leases = _TokenLeases()
_local = _LocalBuckets()
