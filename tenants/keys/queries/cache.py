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
        max_entries: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._ttl, self._max_entries, self._clock = load, ttl.total_seconds(), max_entries, clock
        self._entries: OrderedDict[TenantRef, tuple[float, Keyring]] = OrderedDict()
        self._lock = threading.Lock()
        self._generation = 0

    def get(self, tenant: TenantRef) -> Keyring:
        """What `load` raises passes through and is not remembered."""
        started = self._clock()
        with self._lock:
            entry = self._entries.get(tenant)
            if entry is not None and started - entry[0] < self._ttl:
                self._entries.move_to_end(tenant)
                return entry[1]
            forgotten = self._generation
        loaded = self._load(tenant)
        with self._lock:
            # What was read before a `forget` must not come back after it.
            if forgotten == self._generation:
                self._store_keyring(tenant, started, loaded)
        return loaded

    def _store_keyring(self, tenant: TenantRef, started: float, keyring: Keyring) -> None:
        self._entries[tenant] = (started, keyring)
        self._entries.move_to_end(tenant)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def forget(self, tenant: TenantRef) -> None:
        with self._lock:
            self._generation += 1
            self._entries.pop(tenant, None)

    def __len__(self) -> int:
        return len(self._entries)
