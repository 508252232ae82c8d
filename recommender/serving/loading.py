"""Bringing one tenant's memory up to date: its active model, verified, and what changed in its catalogue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import structlog

from recommender import looks
from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.serving import columns
from recommender.serving.newcomers import Details
from recommender.serving.ready import Ready, of_version
from recommender.types import DataError
from tenants.data.queries import catalog
from tenants.data.types import StoredItem
from tenants.errors import StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

log = structlog.get_logger(__name__)

SERVING = Actor("system", "serving")
_PAGE = 5_000
_TOO_LARGE = "The active model is larger than this process may hold (LEPTON_MODEL_CACHE_MIB)."


def refreshed(tenant: TenantRef, old: Ready, limit_bytes: int) -> Ready:
    """The newest state; `old` is returned as it is when nothing changed.

    While the object store is away the previous version goes on. A version whose files do not verify is marked
    corrupt, with its reason, and the one before it serves.
    """
    active, changes = _look(tenant, old)
    number = active.version if active else None
    if number == (old.version.version if old.version else None):
        return _caught_up(tenant, old, changes)
    log.info("model_loading", tenant=str(tenant.id), version=number)
    try:
        fresh = _model(tenant, active, limit_bytes)
    except StoreUnavailable as error:
        log.warning("model_unreachable", tenant=str(tenant.id), version=number, reason=error.detail)
        return replace(_caught_up(tenant, old, changes), model_because=error.detail)
    return _caught_up(tenant, fresh, _changes(tenant, fresh))


def _look(tenant: TenantRef, old: Ready) -> tuple[VersionView | None, list[StoredItem]]:
    """The usual poll: one transaction, and nothing new in it."""
    with scope(tenant, actor=SERVING) as s:
        return queries.active(s), _page(s, old)


def _model(tenant: TenantRef, version: VersionView | None, limit_bytes: int) -> Ready:
    while version is not None:
        if int(version.manifest["bytes"]) > limit_bytes:
            return Ready(columns.empty(), version, model_because=_TOO_LARGE)
        try:
            files = artefacts.read(tenant, version.artefact_id, version.manifest)
            return of_version(version, Bundle.from_files(files))
        except (ArtefactCorrupt, DataError) as error:
            log.warning("model_corrupt", tenant=str(tenant.id), version=version.version, reason=str(error))
            with scope(tenant, actor=SERVING) as s:
                version = actions.mark_corrupt(s, version.version, reason=str(error))
    return Ready(columns.empty())


def _caught_up(tenant: TenantRef, ready: Ready, changes: list[StoredItem]) -> Ready:
    while changes:
        ready = ready.with_changes(changes, _details(tenant, ready, changes))
        changes = _changes(tenant, ready) if len(changes) == _PAGE else []
    return ready


def _details(tenant: TenantRef, ready: Ready, changes: list[StoredItem]) -> Details:
    """What else is known of those changed items that the model does not know."""
    if ready.look is None:
        return Details()
    numbers = np.array([change.item_no for change in changes], dtype=np.int64)
    late = numbers[~ready.columns.known(numbers)]
    behind = ready.columns.item_no[ready.known :]
    wanted = np.union1d(late, np.intersect1d(numbers, behind)).tolist()
    if not wanted:
        return Details()
    with scope(tenant, actor=SERVING) as s:
        return Details(looks.of_numbers(s, wanted))


def _changes(tenant: TenantRef, ready: Ready) -> list[StoredItem]:
    with scope(tenant, actor=SERVING) as s:
        return _page(s, ready)


def _page(s: Scope, ready: Ready) -> list[StoredItem]:
    version, item_no = ready.columns.read_to
    return catalog.changed_since(s, version, after_no=item_no, limit=_PAGE)
