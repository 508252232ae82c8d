"""A model's files, sealed under the tenant's MODEL key and bound to tenant, artefact, file and position."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from recommender.registry.store import folder_store
from tenants.crypto import Purpose
from tenants.crypto.streams import Place, opened_parts, sealed_parts
from tenants.errors import DecryptionFailed, DomainError, NotFound
from tenants.keys.queries import keyring
from tenants.regions import TenantRef


class ArtefactCorrupt(DomainError):
    """The stored model is not what was published."""

    code = "artefact_corrupt"


def write(tenant: TenantRef, artefact_id: UUID, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Seals the files and makes them durable; returns the manifest for the version's row."""
    ring = keyring(tenant)
    sealed = {
        _stored_name(name): sealed_parts(ring, io.BytesIO(content), place=_place(artefact_id, name))
        for name, content in files.items()
    }
    folder_store(tenant.region).put(_folder(tenant, artefact_id), sealed)
    manifest = {name: _facts(content) for name, content in files.items()}
    return {"files": manifest, "bytes": sum(map(len, files.values()))}


def read(tenant: TenantRef, artefact_id: UUID, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """All files, verified. Raises ArtefactCorrupt; a store or key service that is down raises its own."""
    store, ring = folder_store(tenant.region), keyring(tenant)
    opened: dict[str, bytes] = {}
    for name, facts in manifest["files"].items():
        try:
            sealed = io.BytesIO(store.get(_folder(tenant, artefact_id), _stored_name(name)))
            content = b"".join(opened_parts(ring, sealed, place=_place(artefact_id, name)))
        except (NotFound, DecryptionFailed) as error:
            raise ArtefactCorrupt(f"The model file {name} is missing or damaged.") from error
        if _facts(content) != facts:
            raise ArtefactCorrupt(f"The model file {name} differs from its manifest.")
        opened[name] = content
    return opened


def remove(tenant: TenantRef, artefact_id: UUID) -> None:
    remove_folder(tenant, str(artefact_id))


def remove_folder(tenant: TenantRef, name: str) -> None:
    """By its name as `stored` gives it."""
    folder_store(tenant.region).remove(f"{_tenant_folder(tenant)}/{name}")


def stored(tenant: TenantRef) -> list[str]:
    """Names of all artefact folders of a tenant, half-written ones included."""
    return folder_store(tenant.region).folders(_tenant_folder(tenant))


def _facts(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _place(artefact_id: UUID, name: str) -> Place:
    return Place(purpose=Purpose.MODEL, version=str(artefact_id), name=name)


def _stored_name(name: str) -> str:
    return name.replace("/", "__")


def _tenant_folder(tenant: TenantRef) -> str:
    return f"models/{tenant.id}"


def _folder(tenant: TenantRef, artefact_id: UUID) -> str:
    return f"{_tenant_folder(tenant)}/{artefact_id}"
