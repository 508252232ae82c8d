"""Snapshots of the tenants that this process serves: loaded and refreshed in the background, bounded by memory.

A request never waits for a refresh. It waits up to FIRST_LOAD_TIMEOUT_SECONDS for the first load of a tenant; then it is answered
from an empty snapshot by a later stage of the fallback chain.
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
    """Times are those of time.monotonic()."""

    snapshot: TenantSnapshot = EMPTY_SNAPSHOT
    loaded: bool = False
    used_at: float = 0.0
    checked_at: float = 0.0
    started_at: float = 0.0
    pending: Future[None] | None = field(
        default=None,
        repr=False,
    )


class SnapshotCache:
    """A thread-safe least-recently-used cache of tenant snapshots.

    Above `limit_bytes` the least recently used tenants are evicted; the tenant that was just loaded stays even if it is
    larger than the limit.
    """

    def __init__(self, *, limit_bytes: int, refresh: RefreshSnapshot = loading.refresh_snapshot) -> None:
        self._limit_bytes = limit_bytes
        self._refresh = refresh
        self._lock = threading.Lock()
        self._entries: OrderedDict[TenantRef, _CacheEntry] = OrderedDict()
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="lepton-load")
        self._stopped = threading.Event()
        threading.Thread(
            target=self._poll_forever,
            name="lepton-poll",
            daemon=True,
        ).start()

    def get_snapshot(
        self, tenant: TenantRef, *, timeout_seconds: float = FIRST_LOAD_TIMEOUT_SECONDS
    ) -> TenantSnapshot:
        """The snapshot held now; waits at most `timeout_seconds` for a first load, then returns an empty one."""
        with self._lock:
            entry = self._entries.setdefault(tenant, _CacheEntry())
            self._entries.move_to_end(tenant)
            entry.used_at = time.monotonic()
            if entry.loaded:
                return entry.snapshot
            pending = self._start_refresh(tenant, entry)
            # Counted from the start of the load, so that the requests of one tenant wait for the same deadline.
            seconds_left = timeout_seconds - (time.monotonic() - entry.started_at)
        if seconds_left > 0:
            wait([pending], seconds_left)
        return entry.snapshot

    def evict_tenant(self, tenant: TenantRef) -> None:
        """Drops the tenant's snapshot; the next request loads it from the database."""
        with self._lock:
            self._entries.pop(tenant, None)

    def refresh_now(self, tenant: TenantRef) -> TenantSnapshot:
        """Waits until a refresh that began after this call has ended, and returns its snapshot."""
        with self._lock:
            entry = self._entries.setdefault(tenant, _CacheEntry())
            entry.used_at = time.monotonic()
            pending = self._start_refresh(tenant, entry)
        pending.result()
        # The first result may come from a refresh that was running already and had read older rows.
        with self._lock:
            second = self._start_refresh(tenant, entry)
        second.result()
        return entry.snapshot

    def stop(self) -> None:
        """Waits for running loads; nothing is refreshed afterwards."""
        self._stopped.set()
        self._workers.shutdown(cancel_futures=True)

    @property
    def nbytes(self) -> int:
        """Memory of all snapshots, in bytes."""
        with self._lock:
            return self._sum_bytes()

    def _sum_bytes(self) -> int:
        return sum(entry.snapshot.nbytes for entry in self._entries.values())

    def _start_refresh(self, tenant: TenantRef, entry: _CacheEntry) -> Future[None]:
        if entry.pending is None or entry.pending.done():
            entry.started_at = time.monotonic()
            entry.pending = self._workers.submit(self._run_refresh, tenant, entry)
        return entry.pending

    def _run_refresh(self, tenant: TenantRef, entry: _CacheEntry) -> None:
        try:
            snapshot = self._refresh(tenant, entry.snapshot, self._limit_bytes)
            with self._lock:
                entry.snapshot = snapshot
                entry.loaded = True
                self._evict_oldest(keep=tenant)
        except DomainError as error:
            log.warning(
                "refresh_failed",
                tenant=str(tenant.id),
                reason=error.code,
            )
        except Exception:
            log.exception("refresh_failed", tenant=str(tenant.id))
        finally:
            entry.checked_at = time.monotonic()
            # Django's connections belong to the thread; a pool thread would hold them open between refreshes.
            connections.close_all()

    def _evict_oldest(self, *, keep: TenantRef) -> None:
        total = self._sum_bytes()
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
        for tenant, entry in list(self._entries.items()):
            if now - entry.used_at > EVICT_AFTER_SECONDS:
                del self._entries[tenant]
        for tenant, entry in self._entries.items():
            is_due = now - entry.checked_at > POLL_SECONDS
            if is_due and not self._stopped.is_set():
                self._start_refresh(tenant, entry)


_cache: SnapshotCache | None = None
_cache_lock = threading.Lock()


def get_snapshot_cache() -> SnapshotCache:
    """The cache of this process, created at the first call."""
    global _cache
    if _cache is None:
        with _cache_lock:
            # Another thread may have created it while this one waited for the lock.
            if _cache is None:
                _cache = SnapshotCache(limit_bytes=settings.LEPTON_MODEL_CACHE_MIB * _MIB)
    return _cache


def stop_snapshot_cache() -> None:
    """Stops the cache of this process; the next request creates a new one."""
    global _cache
    stopped, _cache = _cache, None
    if stopped is not None:
        stopped.stop()


def _reset_after_fork() -> None:
    global _cache
    _cache = None


# Threads do not survive a fork: a child that inherited the cache would wait for loads that no thread runs.
os.register_at_fork(after_in_child=_reset_after_fork)
