"""One token bucket for each tenant and kind of call, taken from atomically in Valkey.

Without Valkey each process keeps buckets of its own: the limit then holds for each process.
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
local capacity, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HMGET', KEYS[1], 't', 'at')
local tokens, at = tonumber(state[1]) or capacity, tonumber(state[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate / 1000)
local allowed = 0
if tokens >= cost then tokens = tokens - cost; allowed = 1 end
redis.call('HSET', KEYS[1], 't', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000) + 1000)
return {allowed, tostring(tokens)}
"""
_LOCAL_BUCKETS = 4096
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


def take(key: str, limit: Limit, cost: int = 1) -> Verdict:
    """Takes `cost` tokens or none; never more in total than capacity and refill allow."""
    if time.monotonic() >= _local.until:
        try:
            arguments = [limit.capacity, limit.per_second, cost]
            allowed, tokens = _script()(keys=[f"lepton:rate:{key}"], args=arguments)
            return Verdict(bool(int(allowed)), limit, float(tokens))
        except redis.RedisError as error:
            _local.until = time.monotonic() + _RECONNECT_SECONDS
            log.warning("rate_limit_local", error=type(error).__name__)
    return _local.take(key, limit, cost)


@lru_cache(maxsize=1)
def _script() -> Any:
    url: str = settings.LEPTON_VALKEY_URL
    client = redis.Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25)
    return client.register_script(_TAKE)


@dataclass(slots=True)
class _LocalBuckets:
    until: float = 0.0
    buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, limit: Limit, cost: int) -> Verdict:
        now = time.monotonic()
        with self.lock:
            tokens, at = self.buckets.get(key, (float(limit.capacity), now))
            tokens = min(limit.capacity, tokens + (now - at) * limit.per_second)
            allowed = tokens >= cost
            tokens -= cost if allowed else 0
            self.buckets[key] = (tokens, now)
            self.buckets.move_to_end(key)
            if len(self.buckets) > _LOCAL_BUCKETS:
                self.buckets.popitem(last=False)
        return Verdict(allowed, limit, tokens)


_local = _LocalBuckets()
