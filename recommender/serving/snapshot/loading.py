"""Brings one tenant's snapshot up to date: the verified active model, catalogue changes, rules and triples."""

from __future__ import annotations

from dataclasses import dataclass, replace

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


@dataclass(
    frozen=True,
    slots=True,
)
class _PolledState:
    """What one poll reads: the active version, the knowledge version and the first page of catalogue changes."""

    active: VersionView | None
    knowledge_version: int
    changes: list[StoredItem]


def refresh_snapshot(tenant: TenantRef, previous: TenantSnapshot, limit_bytes: int) -> TenantSnapshot:
    """Returns the newest snapshot; `previous` itself if nothing changed.

    While the object store does not answer, the previous model stays. A version whose files fail verification is marked
    corrupt, and the version before it is loaded.

    Args:
        tenant: the tenant.
        previous: the snapshot held now.
        limit_bytes: a larger model is not loaded.
    """
    polled = _poll_changes(tenant, previous)
    active_number = polled.active.version if polled.active else None
    loaded_number = previous.version.version if previous.version else None
    if active_number == loaded_number:
        return _catch_up(tenant, previous, polled)
    log.info(
        "model_loading",
        tenant=str(tenant.id),
        version=active_number,
    )
    try:
        snapshot = _load_model_snapshot(tenant, polled.active, limit_bytes)
    except StoreUnavailable as error:
        log.warning(
            "model_unreachable",
            tenant=str(tenant.id),
            version=active_number,
            reason=error.detail,
        )
        return replace(_catch_up(tenant, previous, polled), model_problem=error.detail)
    # The new snapshot starts from an empty catalogue, so its changes begin with the first page again.
    return _catch_up(tenant, snapshot, replace(polled, changes=_fetch_changes(tenant, snapshot)))


def _poll_changes(tenant: TenantRef, previous: TenantSnapshot) -> _PolledState:
    """One transaction; usually it finds nothing new."""
    with scope(tenant, actor=SERVING) as s:
        return _PolledState(
            active=queries.get_active_version(s),
            knowledge_version=knowledge_queries.get_version(s),
            changes=_fetch_page(s, previous),
        )


def _catch_up(tenant: TenantRef, snapshot: TenantSnapshot, polled: _PolledState) -> TenantSnapshot:
    changed = _apply_changes(tenant, snapshot, polled.changes)
    return _update_rules(tenant, changed, polled.knowledge_version)


def _update_rules(tenant: TenantRef, snapshot: TenantSnapshot, version: int) -> TenantSnapshot:
    """Reads rules and triples again unless the snapshot has those of this version."""
    if snapshot.tenant_rules.version == version:
        return snapshot
    with scope(tenant, actor=SERVING) as s:
        state = tenant_state.get_state(s)
        denied_attributes = list_denied_attributes(state.vertical, state.privacy)
        rules = compile_rules(knowledge_queries.load_rules(s), denied_attributes)
        triple_tokens = item_triples.load_triple_tokens(s, knowledge_queries.load_triples(s))
    return snapshot.update_rules(TenantRules(version, rules, triple_tokens))


def _load_model_snapshot(tenant: TenantRef, version: VersionView | None, limit_bytes: int) -> TenantSnapshot:
    """Loads the version, or the newest earlier one whose files verify; without any, an empty snapshot."""
    while version is not None:
        if int(version.manifest["bytes"]) > limit_bytes:
            return TenantSnapshot(index.create_empty_index(), version, model_problem=_TOO_LARGE)
        try:
            files = artefacts.read_artefact(tenant, version.artefact_id, version.manifest)
            return create_snapshot(version, Bundle.from_files(files))
        except (ArtefactCorrupt, DataError) as error:
            log.warning(
                "model_corrupt",
                tenant=str(tenant.id),
                version=version.version,
                reason=str(error),
            )
            with scope(tenant, actor=SERVING) as s:
                # Returns the version before, which is tried next.
                version = actions.mark_corrupt(s, version.version, reason=str(error))
    return TenantSnapshot(index.create_empty_index())


def _apply_changes(tenant: TenantRef, snapshot: TenantSnapshot, changes: list[StoredItem]) -> TenantSnapshot:
    while changes:
        embeddings = _load_new_image_embeddings(tenant, snapshot, changes)
        snapshot = snapshot.apply_changes(changes, embeddings)
        # A short page is the last one; this saves the query that would find nothing.
        if len(changes) < _PAGE_SIZE:
            break
        changes = _fetch_changes(tenant, snapshot)
    return snapshot


def _load_new_image_embeddings(
    tenant: TenantRef, snapshot: TenantSnapshot, changes: list[StoredItem]
) -> dict[int, Float16Array]:
    """By item number, embeddings of those changed items that are not in the model."""
    if snapshot.visual_model is None:
        return {}
    new_items = snapshot.find_new_items([change.item_no for change in changes])
    if not new_items:
        return {}
    with scope(tenant, actor=SERVING) as s:
        return image_embeddings.load_embeddings_by_number(s, new_items)


def _fetch_changes(tenant: TenantRef, snapshot: TenantSnapshot) -> list[StoredItem]:
    with scope(tenant, actor=SERVING) as s:
        return _fetch_page(s, snapshot)


def _fetch_page(s: Scope, snapshot: TenantSnapshot) -> list[StoredItem]:
    """Changes after the last one that the snapshot's catalogue holds, at most a page, oldest first."""
    version, item_no = snapshot.catalogue.last_change
    return catalog.list_changed_items(
        s,
        version,
        after_no=item_no,
        limit=_PAGE_SIZE,
    )
