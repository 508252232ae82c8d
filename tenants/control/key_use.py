"""Records when an API key was last used, at most once a minute per key, on a background thread."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import structlog
from django.db import connections
from django.utils import timezone

from tenants.control.models import ApiKey
from tenants.errors import DomainError
from tenants.regions import CONTROL
from tenants.scope import Actor, control_scope

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 60.0
_MAX_KEYS = 10_000
_recorded_at: dict[str, float] = {}
_lock = threading.Lock()
_executor: ThreadPoolExecutor | None = None


def record_use(tenant_id: UUID, key_id: str) -> Future[None] | None:
    """Schedules the update and returns its future; None if the key was recorded within the last minute."""
    now = time.monotonic()
    with _lock:
        if now - _recorded_at.get(key_id, -INTERVAL_SECONDS) < INTERVAL_SECONDS:
            return None
        if len(_recorded_at) >= _MAX_KEYS:
            # Bounds the memory; the cost is an additional update per key.
            _recorded_at.clear()
        _recorded_at[key_id] = now
    return _get_executor().submit(_write_last_used, tenant_id, key_id)


def _get_executor() -> ThreadPoolExecutor:
    global _executor
    with _lock:
        if _executor is None:
            _executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="key-use")
        return _executor


def _write_last_used(tenant_id: UUID, key_id: str) -> None:
    try:
        with control_scope(tenant_id, actor=Actor("system", "key-use")):
            ApiKey.objects.filter(tenant_id=tenant_id, id=key_id).update(last_used_at=timezone.now())
    except DomainError as error:
        log.warning("key_use_not_recorded", key=key_id, reason=error.code)
    finally:
        connections[CONTROL].close()


def reset_after_fork() -> None:
    """Drops the executor and the lock: threads do not survive a fork, and the lock may be held by one of them."""
    global _executor, _lock
    _executor, _lock = None, threading.Lock()
    _recorded_at.clear()


os.register_at_fork(after_in_child=reset_after_fork)
