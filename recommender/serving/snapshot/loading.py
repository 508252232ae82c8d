"""Bringing one tenant's memory up to date: its active model, verified, and what changed in its catalogue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import structlog

from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.serving.catalogue import index
from recommender.serving.rules.matching import compile_rules
from recommender.serving.snapshot.tenant_snapshot import TenantRules, TenantSnapshot, create_snapshot
from recommender.tenant_data import image_embeddings, item_triples
from recommender.types import DataError, Float16Array
from tenants.data.presets import list_denied_attributes
from tenants.data.queries import catalog, tenant_state
from tenants.data.queries import knowledge as knowledge_queries
from tenants.data.types import StoredItem
from tenants.errors import StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

log = structlog.get_logger(__name__)

SERVING = Actor("system", "serving")
_PAGE_SIZE = 5_000
_TOO_LARGE = "The active model is larger than this process may hold (LEPTON_MODEL_CACHE_MIB)."


def refresh_snapshot(tenant: TenantRef, previous: TenantSnapshot, limit_bytes: int) -> TenantSnapshot:
    """The newest state; `old` is returned as it is when nothing changed.

    While the object store is away the previous version goes on. A version whose files do not verify is marked
    corrupt, with its reason, and the one before it serves.
    """
    active, stated, changes = _poll_changes(tenant, previous)
    number = active.version if active else None
    if number == (previous.version.version if previous.version else None):
        return _update_rules(tenant, _apply_changes(tenant, previous, changes), stated)
    log.info("model_loading", tenant=str(tenant.id), version=number)
    try:
        fresh = _load_model_snapshot(tenant, active, limit_bytes)
    except StoreUnavailable as error:
        log.warning("model_unreachable", tenant=str(tenant.id), version=number, reason=error.detail)
        caught_up = _update_rules(tenant, _apply_changes(tenant, previous, changes), stated)
        return replace(caught_up, model_problem=error.detail)
    return _update_rules(tenant, _apply_changes(tenant, fresh, _fetch_changes(tenant, fresh)), stated)


def _poll_changes(
    tenant: TenantRef, previous: TenantSnapshot
) -> tuple[VersionView | None, int, list[StoredItem]]:
    """The usual poll: one transaction, and nothing new in it."""
    with scope(tenant, actor=SERVING) as s:
        return queries.get_active_version(s), knowledge_queries.get_version(s), _fetch_page(s, previous)


def _update_rules(tenant: TenantRef, snapshot: TenantSnapshot, version: int) -> TenantSnapshot:
    """With the rules and triples of at least this version."""
    if snapshot.tenant_rules.version == version:
        return snapshot
    with scope(tenant, actor=SERVING) as s:
        state = tenant_state.get_state(s)
        rules = compile_rules(
            knowledge_queries.load_rules(s), list_denied_attributes(state.vertical, state.privacy)
        )
        links = item_triples.load_triple_tokens(s, knowledge_queries.load_triples(s))
    return snapshot.update_rules(TenantRules(version, rules, links))


def _load_model_snapshot(tenant: TenantRef, version: VersionView | None, limit_bytes: int) -> TenantSnapshot:
    while version is not None:
        if int(version.manifest["bytes"]) > limit_bytes:
            return TenantSnapshot(index.create_empty_index(), version, model_problem=_TOO_LARGE)
        try:
            files = artefacts.read_artefact(tenant, version.artefact_id, version.manifest)
            return create_snapshot(version, Bundle.from_files(files))
        except (ArtefactCorrupt, DataError) as error:
            log.warning("model_corrupt", tenant=str(tenant.id), version=version.version, reason=str(error))
            with scope(tenant, actor=SERVING) as s:
                version = actions.mark_corrupt(s, version.version, reason=str(error))
    return TenantSnapshot(index.create_empty_index())


def _apply_changes(tenant: TenantRef, snapshot: TenantSnapshot, changes: list[StoredItem]) -> TenantSnapshot:
    while changes:
        snapshot = snapshot.apply_changes(changes, _load_new_image_embeddings(tenant, snapshot, changes))
        changes = _fetch_changes(tenant, snapshot) if len(changes) == _PAGE_SIZE else []
    return snapshot


def _load_new_image_embeddings(
    tenant: TenantRef, snapshot: TenantSnapshot, changes: list[StoredItem]
) -> dict[int, Float16Array]:
    """Vectors of the images of those changed items that the model does not know."""
    if snapshot.visual_model is None:
        return {}
    numbers = np.array([change.item_no for change in changes], dtype=np.int64)
    late = numbers[~snapshot.catalogue.has_slot(numbers)]
    behind = snapshot.catalogue.item_numbers[snapshot.n_model_items :]
    wanted = np.union1d(late, np.intersect1d(numbers, behind)).tolist()
    if not wanted:
        return {}
    with scope(tenant, actor=SERVING) as s:
        return image_embeddings.load_embeddings_by_number(s, wanted)


def _fetch_changes(tenant: TenantRef, snapshot: TenantSnapshot) -> list[StoredItem]:
    with scope(tenant, actor=SERVING) as s:
        return _fetch_page(s, snapshot)


def _fetch_page(s: Scope, snapshot: TenantSnapshot) -> list[StoredItem]:
    version, item_no = snapshot.catalogue.last_change
    return catalog.list_changed_items(s, version, after_no=item_no, limit=_PAGE_SIZE)
