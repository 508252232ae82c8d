"""Rate limits: one token bucket per tenant, stored in Valkey.

A process leases up to 16 tokens at a time and uses them for one second, so that most requests need no round trip.
Tokens that are left after that second are discarded, so a tenant may get slightly less than its rate, never more.
While Valkey is unreachable each process uses buckets in its own memory: the limit then holds per process.
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

# The bucket refills by the clock of the Valkey server, because the clocks of the processes differ.
# A lease takes at most an eighth of the bucket beyond the first token: one process must not empty a nearly empty bucket.
_ACQUIRE_SCRIPT = """
local capacity, rate, max_tokens = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HMGET', KEYS[1], 't', 'at')
local tokens, at = tonumber(state[1]) or capacity, tonumber(state[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate / 1000)
local acquired = 0
if tokens >= 1 then acquired = 1 + math.min(max_tokens - 1, math.floor((tokens - 1) / 8)) end
tokens = tokens - acquired
redis.call('HSET', KEYS[1], 't', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000) + 1000)
return {acquired, tostring(tokens)}
"""
_MAX_KEYS = 4096
_LEASE_TOKENS = 16
_LEASE_SECONDS = 1.0
_RECONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A bucket of `capacity` requests that refills at `refill_per_second` requests per second."""

    capacity: int
    refill_per_second: float


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The result of acquiring a token; `tokens` are left in the bucket."""

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
    """Takes one token from the bucket of `key`, from this process's lease if it has one."""
    status = _leases.acquire(key, limit)
    if status is not None:
        return status
    if time.monotonic() >= _local.reconnect_at:
        try:
            arguments = [limit.capacity, limit.refill_per_second, _LEASE_TOKENS]
            acquired, tokens = _load_script()(keys=[f"lepton:rate:{key}"], args=arguments)
            return _leases.store(key, limit, acquired=int(acquired), bucket_tokens=float(tokens))
        except redis.RedisError as error:
            # Without a pause every request would wait for the connection timeout.
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
    """Tokens that this process has acquired and not used yet, per bucket."""

    leases: OrderedDict[str, _TokenLease] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, key: str, limit: RateLimit) -> RateLimitStatus | None:
        """Uses a leased token. Returns None if there is no valid lease and the bucket has to be asked."""
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

    def store(self, key: str, limit: RateLimit, *, acquired: int, bucket_tokens: float) -> RateLimitStatus:
        """Uses one of the acquired tokens and stores the others, added to those that another thread stored meanwhile."""
        if acquired == 0:
            return RateLimitStatus(False, limit, bucket_tokens)
        with self.lock:
            now = time.monotonic()
            previous = self.leases.pop(key, None)
            remaining = acquired - 1
            if previous and previous.limit == limit and now < previous.expires_at:
                remaining += previous.remaining
            self.leases[key] = _TokenLease(
                limit=limit,
                remaining=remaining,
                bucket_tokens=bucket_tokens,
                expires_at=now + _LEASE_SECONDS,
            )
            if len(self.leases) > _MAX_KEYS:
                self.leases.popitem(last=False)
        return RateLimitStatus(True, limit, bucket_tokens + remaining)


@dataclass(slots=True)
class _LocalBuckets:
    """Buckets in the memory of this process, for the time that Valkey is unreachable."""

    reconnect_at: float = 0.0
    buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """Takes one token if there is one."""
        now = time.monotonic()
        with self.lock:
            tokens, updated_at = self.buckets.get(key, (float(limit.capacity), now))
            tokens = min(limit.capacity, tokens + (now - updated_at) * limit.refill_per_second)
            allowed = tokens >= 1
            tokens -= allowed
            self.buckets[key] = (tokens, now)
            self.buckets.move_to_end(key)
            if len(self.buckets) > _MAX_KEYS:
                self.buckets.popitem(last=False)
        return RateLimitStatus(allowed, limit, tokens)


_leases = _TokenLeases()
_local = _LocalBuckets()
