"""Bringing one tenant's memory up to date: its active model, verified, and what changed in its catalogue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import structlog

from recommender import knowledge, looks
from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.serving import columns
from recommender.serving.ready import Ready, Stated, of_version
from recommender.serving.rules import compiled
from recommender.types import DataError, Halves
from tenants.data.presets import never_features
from tenants.data.queries import catalog, space
from tenants.data.queries import knowledge as knowledge_queries
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
    active, stated, changes = _look(tenant, old)
    number = active.version if active else None
    if number == (old.version.version if old.version else None):
        return _told(tenant, _caught_up(tenant, old, changes), stated)
    log.info("model_loading", tenant=str(tenant.id), version=number)
    try:
        fresh = _model(tenant, active, limit_bytes)
    except StoreUnavailable as error:
        log.warning("model_unreachable", tenant=str(tenant.id), version=number, reason=error.detail)
        caught_up = _told(tenant, _caught_up(tenant, old, changes), stated)
        return replace(caught_up, model_because=error.detail)
    return _told(tenant, _caught_up(tenant, fresh, _changes(tenant, fresh)), stated)


def _look(tenant: TenantRef, old: Ready) -> tuple[VersionView | None, int, list[StoredItem]]:
    """The usual poll: one transaction, and nothing new in it."""
    with scope(tenant, actor=SERVING) as s:
        return queries.active(s), knowledge_queries.version(s), _page(s, old)


def _told(tenant: TenantRef, ready: Ready, version: int) -> Ready:
    """With the rules and triples of at least this version."""
    if ready.stated.version == version:
        return ready
    with scope(tenant, actor=SERVING) as s:
        state = space.state(s)
        rules = compiled(knowledge_queries.rules(s), never_features(state.vertical, state.privacy))
        links = knowledge.tokens(s, knowledge_queries.triples(s))
    return ready.with_stated(Stated(version, rules, links))


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
        ready = ready.with_changes(changes, _looks(tenant, ready, changes))
        changes = _changes(tenant, ready) if len(changes) == _PAGE else []
    return ready


def _looks(tenant: TenantRef, ready: Ready, changes: list[StoredItem]) -> dict[int, Halves]:
    """Vectors of the images of those changed items that the model does not know."""
    if ready.look is None:
        return {}
    numbers = np.array([change.item_no for change in changes], dtype=np.int64)
    late = numbers[~ready.columns.known(numbers)]
    behind = ready.columns.item_no[ready.known :]
    wanted = np.union1d(late, np.intersect1d(numbers, behind)).tolist()
    if not wanted:
        return {}
    with scope(tenant, actor=SERVING) as s:
        return looks.of_numbers(s, wanted)


def _changes(tenant: TenantRef, ready: Ready) -> list[StoredItem]:
    with scope(tenant, actor=SERVING) as s:
        return _page(s, ready)


def _page(s: Scope, ready: Ready) -> list[StoredItem]:
    version, item_no = ready.columns.read_to
    return catalog.changed_since(s, version, after_no=item_no, limit=_PAGE)
