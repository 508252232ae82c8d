"""Each process's tenants in memory: loaded and refreshed in the background, bounded by bytes.

A request never waits for a refresh. It waits for a first load, a moment; then an earlier stage answers.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import connections

from recommender.serving.snapshot import loading
from recommender.serving.snapshot.tenant_snapshot import EMPTY_SNAPSHOT, TenantSnapshot
from tenants.errors import DomainError
from tenants.regions import TenantRef

log = structlog.get_logger(__name__)

POLL_SECONDS = 5.0
EVICT_AFTER_SECONDS = 900.0
FIRST_LOAD_TIMEOUT_SECONDS = 2.0
_MIB = 1 << 20

RefreshSnapshot = Callable[[TenantRef, TenantSnapshot, int], TenantSnapshot]


@dataclass
class _CacheEntry:
    snapshot: TenantSnapshot = EMPTY_SNAPSHOT
    loaded: bool = False
    used_at: float = 0.0
    checked_at: float = 0.0
    started_at: float = 0.0
    pending: Future[None] | None = field(default=None, repr=False)


class SnapshotCache:
    """Least recently used tenants leave first above `limit_bytes`; the one asked for always stays."""

    def __init__(self, *, limit_bytes: int, refresh: RefreshSnapshot = loading.refresh_snapshot) -> None:
        self._limit_bytes = limit_bytes
        self._refresh = refresh
        self._lock = threading.Lock()
        self._entries: OrderedDict[TenantRef, _CacheEntry] = OrderedDict()
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="lepton-load")
        self._stopped = threading.Event()
        threading.Thread(target=self._poll_forever, name="lepton-poll", daemon=True).start()

    def get_snapshot(
        self, tenant: TenantRef, *, timeout_seconds: float = FIRST_LOAD_TIMEOUT_SECONDS
    ) -> TenantSnapshot:
        """What can answer now; `patience` bounds in seconds how long a first load is waited for."""
        with self._lock:
            space = self._entries.setdefault(tenant, _CacheEntry())
            self._entries.move_to_end(tenant)
            space.used_at = time.monotonic()
            if space.loaded:
                return space.snapshot
            pending = self._start_refresh(tenant, space)
            left = timeout_seconds - (time.monotonic() - space.started_at)
        if left > 0:
            wait([pending], left)
        return space.snapshot

    def evict_tenant(self, tenant: TenantRef) -> None:
        """The next request loads afresh."""
        with self._lock:
            self._entries.pop(tenant, None)

    def refresh_now(self, tenant: TenantRef) -> TenantSnapshot:
        """Waits until the newest version and catalogue are in place."""
        with self._lock:
            space = self._entries.setdefault(tenant, _CacheEntry())
            space.used_at = time.monotonic()
            pending = self._start_refresh(tenant, space)
        pending.result()
        with self._lock:
            again = self._start_refresh(tenant, space)
        again.result()
        return space.snapshot

    def stop(self) -> None:
        """Waits for what is being loaded; nothing is refreshed afterwards."""
        self._stopped.set()
        self._workers.shutdown(cancel_futures=True)

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(space.snapshot.nbytes for space in self._entries.values())

    def _start_refresh(self, tenant: TenantRef, entry: _CacheEntry) -> Future[None]:
        if entry.pending is None or entry.pending.done():
            entry.started_at = time.monotonic()
            entry.pending = self._workers.submit(self._run_refresh, tenant, entry)
        return entry.pending

    def _run_refresh(self, tenant: TenantRef, entry: _CacheEntry) -> None:
        try:
            fresh = self._refresh(tenant, entry.snapshot, self._limit_bytes)
            with self._lock:
                entry.snapshot, entry.loaded = fresh, True
                self._evict_oldest(keep=tenant)
        except DomainError as error:
            log.warning("refresh_failed", tenant=str(tenant.id), reason=error.code)
        except Exception:
            log.exception("refresh_failed", tenant=str(tenant.id))
        finally:
            entry.checked_at = time.monotonic()
            connections.close_all()

    def _evict_oldest(self, *, keep: TenantRef) -> None:
        total = sum(space.snapshot.nbytes for space in self._entries.values())
        for tenant in list(self._entries):
            if total <= self._limit_bytes:
                return
            if tenant != keep:
                total -= self._entries.pop(tenant).snapshot.nbytes

    def _poll_forever(self) -> None:
        while not self._stopped.wait(1.0):
            with self._lock:
                self._poll_tenants()

    def _poll_tenants(self) -> None:
        now = time.monotonic()
        for tenant in [t for t, sp in self._entries.items() if now - sp.used_at > EVICT_AFTER_SECONDS]:
            del self._entries[tenant]
        for tenant, space in self._entries.items():
            if now - space.checked_at > POLL_SECONDS and not self._stopped.is_set():
                self._start_refresh(tenant, space)


_cache: SnapshotCache | None = None
_cache_lock = threading.Lock()


def get_snapshot_cache() -> SnapshotCache:
    """This process's; made at the first request, never inherited through a fork."""
    global _cache
    if _cache is None:
        with _cache_lock:
            if _cache is None:
                _cache = SnapshotCache(limit_bytes=settings.LEPTON_MODEL_CACHE_MIB * _MIB)
    return _cache


def stop_snapshot_cache() -> None:
    """Ends this process's; the next request makes new ones."""
    global _cache
    ended, _cache = _cache, None
    if ended is not None:
        ended.stop()


def _reset_after_fork() -> None:
    global _cache
    _cache = None


os.register_at_fork(after_in_child=_reset_after_fork)
