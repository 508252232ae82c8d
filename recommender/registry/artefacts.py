"""A model's files, sealed under the tenant's MODEL key and bound to tenant, artefact, file and position."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from recommender.registry.store import open_folder_store
from tenants.crypto import Purpose
from tenants.crypto.streams import StreamContext, open_segments, seal_segments
from tenants.errors import DecryptionFailed, DomainError, NotFound
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef


class ArtefactCorrupt(DomainError):
    """The stored model is not what was published."""

    code = "artefact_corrupt"


def write_artefact(tenant: TenantRef, artefact_id: UUID, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Seals the files and makes them durable; returns the manifest for the version's row."""
    ring = get_keyring(tenant)
    sealed = {
        _escape_file_name(name): seal_segments(
            ring, io.BytesIO(content), stream_context=_build_associated_data(artefact_id, name)
        )
        for name, content in files.items()
    }
    open_folder_store(tenant.region).put_folder(_format_artefact_folder(tenant, artefact_id), sealed)
    manifest = {name: _describe_file(content) for name, content in files.items()}
    return {"files": manifest, "bytes": sum(map(len, files.values()))}


def read_artefact(tenant: TenantRef, artefact_id: UUID, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """All files, verified. Raises ArtefactCorrupt; a store or key service that is down raises its own."""
    store, ring = open_folder_store(tenant.region), get_keyring(tenant)
    opened: dict[str, bytes] = {}
    for name, facts in manifest["files"].items():
        try:
            sealed = io.BytesIO(
                store.read_file(_format_artefact_folder(tenant, artefact_id), _escape_file_name(name))
            )
            content = b"".join(
                open_segments(ring, sealed, stream_context=_build_associated_data(artefact_id, name))
            )
        except (NotFound, DecryptionFailed) as error:
            raise ArtefactCorrupt(f"The model file {name} is missing or damaged.") from error
        if _describe_file(content) != facts:
            raise ArtefactCorrupt(f"The model file {name} differs from its manifest.")
        opened[name] = content
    return opened


def remove_artefact(tenant: TenantRef, artefact_id: UUID) -> None:
    remove_artefact_folder(tenant, str(artefact_id))


def remove_artefact_folder(tenant: TenantRef, name: str) -> None:
    """By its name as `stored` gives it."""
    open_folder_store(tenant.region).remove_folder(f"{_format_tenant_folder(tenant)}/{name}")


def list_artefact_folders(tenant: TenantRef) -> list[str]:
    """Names of all artefact folders of a tenant, half-written ones included."""
    return open_folder_store(tenant.region).list_folders(_format_tenant_folder(tenant))


def _describe_file(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _build_associated_data(artefact_id: UUID, name: str) -> StreamContext:
    return StreamContext(purpose=Purpose.MODEL, version=str(artefact_id), name=name)


def _escape_file_name(name: str) -> str:
    return name.replace("/", "__")


def _format_tenant_folder(tenant: TenantRef) -> str:
    return f"models/{tenant.id}"


def _format_artefact_folder(tenant: TenantRef, artefact_id: UUID) -> str:
    return f"{_format_tenant_folder(tenant)}/{artefact_id}"
