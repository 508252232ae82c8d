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

from recommender.serving import loading
from recommender.serving.ready import EMPTY, Ready
from tenants.errors import DomainError
from tenants.regions import TenantRef

log = structlog.get_logger(__name__)

POLL_SECONDS = 5.0
FORGET_AFTER_SECONDS = 900.0
FIRST_LOAD_PATIENCE_SECONDS = 2.0
_MIB = 1 << 20

Refresh = Callable[[TenantRef, Ready, int], Ready]


@dataclass
class _Space:
    ready: Ready = EMPTY
    loaded: bool = False
    used_at: float = 0.0
    checked_at: float = 0.0
    started_at: float = 0.0
    pending: Future[None] | None = field(default=None, repr=False)


class Spaces:
    """Least recently used tenants leave first above `limit_bytes`; the one asked for always stays."""

    def __init__(self, *, limit_bytes: int, refresh: Refresh = loading.refreshed) -> None:
        self._limit = limit_bytes
        self._refresh = refresh
        self._lock = threading.Lock()
        self._spaces: OrderedDict[TenantRef, _Space] = OrderedDict()
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="lepton-load")
        self._stopped = threading.Event()
        threading.Thread(target=self._poll_for_ever, name="lepton-poll", daemon=True).start()

    def ready(self, tenant: TenantRef, *, patience: float = FIRST_LOAD_PATIENCE_SECONDS) -> Ready:
        """What can answer now; `patience` bounds in seconds how long a first load is waited for."""
        with self._lock:
            space = self._spaces.setdefault(tenant, _Space())
            self._spaces.move_to_end(tenant)
            space.used_at = time.monotonic()
            if space.loaded:
                return space.ready
            pending = self._start(tenant, space)
            left = patience - (time.monotonic() - space.started_at)
        if left > 0:
            wait([pending], left)
        return space.ready

    def forget(self, tenant: TenantRef) -> None:
        """The next request loads afresh."""
        with self._lock:
            self._spaces.pop(tenant, None)

    def refresh_now(self, tenant: TenantRef) -> Ready:
        """Waits until the newest version and catalogue are in place."""
        with self._lock:
            space = self._spaces.setdefault(tenant, _Space())
            space.used_at = time.monotonic()
            pending = self._start(tenant, space)
        pending.result()
        with self._lock:
            again = self._start(tenant, space)
        again.result()
        return space.ready

    def stop(self) -> None:
        """Waits for what is being loaded; nothing is refreshed afterwards."""
        self._stopped.set()
        self._workers.shutdown(cancel_futures=True)

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(space.ready.nbytes for space in self._spaces.values())

    def _start(self, tenant: TenantRef, space: _Space) -> Future[None]:
        if space.pending is None or space.pending.done():
            space.started_at = time.monotonic()
            space.pending = self._workers.submit(self._work, tenant, space)
        return space.pending

    def _work(self, tenant: TenantRef, space: _Space) -> None:
        try:
            fresh = self._refresh(tenant, space.ready, self._limit)
            with self._lock:
                space.ready, space.loaded = fresh, True
                self._shrink(keep=tenant)
        except DomainError as error:
            log.warning("refresh_failed", tenant=str(tenant.id), reason=error.code)
        except Exception:
            log.exception("refresh_failed", tenant=str(tenant.id))
        finally:
            space.checked_at = time.monotonic()
            connections.close_all()

    def _shrink(self, *, keep: TenantRef) -> None:
        total = sum(space.ready.nbytes for space in self._spaces.values())
        for tenant in list(self._spaces):
            if total <= self._limit:
                return
            if tenant != keep:
                total -= self._spaces.pop(tenant).ready.nbytes

    def _poll_for_ever(self) -> None:
        while not self._stopped.wait(1.0):
            with self._lock:
                self._poll()

    def _poll(self) -> None:
        now = time.monotonic()
        for tenant in [t for t, sp in self._spaces.items() if now - sp.used_at > FORGET_AFTER_SECONDS]:
            del self._spaces[tenant]
        for tenant, space in self._spaces.items():
            if now - space.checked_at > POLL_SECONDS and not self._stopped.is_set():
                self._start(tenant, space)


_made: Spaces | None = None
_making = threading.Lock()


def spaces() -> Spaces:
    """This process's; made at the first request, never inherited through a fork."""
    global _made
    if _made is None:
        with _making:
            if _made is None:
                _made = Spaces(limit_bytes=settings.LEPTON_MODEL_CACHE_MIB * _MIB)
    return _made


def stop() -> None:
    """Ends this process's; the next request makes new ones."""
    global _made
    ended, _made = _made, None
    if ended is not None:
        ended.stop()


def _forget_after_fork() -> None:
    global _made
    _made = None


os.register_at_fork(after_in_child=_forget_after_fork)
