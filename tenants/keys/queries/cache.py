"""The cache of unwrapped keyrings in a process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from tenants.crypto import Keyring
from tenants.regions import TenantRef


class KeyringCache:
    """An LRU cache with a time to live. An entry older than `ttl` is never returned, even if reloading fails."""

    def __init__(
        self,
        load: Callable[[TenantRef], Keyring],
        *,
        ttl: timedelta,
        max_entries: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._ttl = ttl.total_seconds()
        self._max_entries = max_entries
        self._clock = clock
        # Tenant -> (time of the load, keyring), least recently used first.
        self._entries: OrderedDict[TenantRef, tuple[float, Keyring]] = OrderedDict()
        self._lock = threading.Lock()
        self._generation = 0

    def get(self, tenant: TenantRef) -> Keyring:
        """Returns the tenant's keyring, loading it if necessary. Exceptions of `load` are passed on and not cached."""
        started = self._clock()
        with self._lock:
            entry = self._entries.get(tenant)
            if entry is not None and started - entry[0] < self._ttl:
                self._entries.move_to_end(tenant)
                return entry[1]
            generation = self._generation
        # Loaded without the lock: it takes a database query and a call of the key service.
        keyring = self._load(tenant)
        with self._lock:
            # A keyring that was read before a `forget` must not be cached after it.
            if generation == self._generation:
                self._store_keyring(tenant, started, keyring)
        return keyring

    def _store_keyring(self, tenant: TenantRef, started: float, keyring: Keyring) -> None:
        self._entries[tenant] = (started, keyring)
        self._entries.move_to_end(tenant)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def forget(self, tenant: TenantRef) -> None:
        """Removes the tenant's keyring, also one that is being loaded now."""
        with self._lock:
            self._generation += 1
            self._entries.pop(tenant, None)

    def __len__(self) -> int:
        return len(self._entries)
