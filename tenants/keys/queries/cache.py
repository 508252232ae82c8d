"""Unwrapped keyrings of the tenants a process serves now."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from tenants.crypto import Keyring
from tenants.regions import TenantRef


class KeyringCache:
    """Least recently used out first; no entry is older than `ttl`, also when it cannot be loaded again."""

    def __init__(
        self,
        load: Callable[[TenantRef], Keyring],
        *,
        ttl: timedelta,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._ttl, self._most, self._clock = load, ttl.total_seconds(), most, clock
        self._entries: OrderedDict[TenantRef, tuple[float, Keyring]] = OrderedDict()
        self._lock = threading.Lock()
        self._forgotten = 0

    def get(self, tenant: TenantRef) -> Keyring:
        """What `load` raises passes through and is not remembered."""
        started = self._clock()
        with self._lock:
            entry = self._entries.get(tenant)
            if entry is not None and started - entry[0] < self._ttl:
                self._entries.move_to_end(tenant)
                return entry[1]
            forgotten = self._forgotten
        loaded = self._load(tenant)
        with self._lock:
            # What was read before a `forget` must not come back after it.
            if forgotten == self._forgotten:
                self._remember(tenant, started, loaded)
        return loaded

    def _remember(self, tenant: TenantRef, started: float, loaded: Keyring) -> None:
        self._entries[tenant] = (started, loaded)
        self._entries.move_to_end(tenant)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def forget(self, tenant: TenantRef) -> None:
        with self._lock:
            self._forgotten += 1
            self._entries.pop(tenant, None)

    def __len__(self) -> int:
        return len(self._entries)
