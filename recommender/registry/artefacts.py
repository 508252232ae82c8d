"""Model files, encrypted with the tenant's MODEL key.

The associated data of each segment are the artefact's id, the file name and the segment's position, so that files cannot be
swapped between artefacts, tenants or names.
"""

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
    """The stored files are not those that were published."""

    code = "artefact_corrupt"


def write_artefact(tenant: TenantRef, artefact_id: UUID, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Encrypts the files and stores them durably; returns the manifest for the version's row.

    The manifest has the keys "files" ({name: {"sha256", "bytes"}}) and "bytes" (their sum); both describe plaintext.
    """
    keyring = get_keyring(tenant)
    encrypted_files = {}
    descriptions = {}
    for name, content in files.items():
        segments = seal_segments(
            keyring,
            io.BytesIO(content),
            stream_context=_build_stream_context(artefact_id, name),
        )
        encrypted_files[_escape_file_name(name)] = segments
        descriptions[name] = _describe_file(content)
    store = open_folder_store(tenant.region)
    store.put_folder(_format_artefact_folder(tenant, artefact_id), encrypted_files)
    total_bytes = sum(len(content) for content in files.values())
    return {"files": descriptions, "bytes": total_bytes}


def read_artefact(tenant: TenantRef, artefact_id: UUID, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Reads, decrypts and verifies all files of the manifest.

    Raises:
        ArtefactCorrupt: a file is missing, cannot be decrypted or differs from the manifest.
        StoreUnavailable: the object store does not answer.
        KeyServiceUnavailable: the keys cannot be read.
    """
    store = open_folder_store(tenant.region)
    keyring = get_keyring(tenant)
    folder = _format_artefact_folder(tenant, artefact_id)
    files: dict[str, bytes] = {}
    for name, description in manifest["files"].items():
        context = _build_stream_context(artefact_id, name)
        try:
            encrypted = io.BytesIO(store.read_file(folder, _escape_file_name(name)))
            content = b"".join(open_segments(keyring, encrypted, stream_context=context))
        except (NotFound, DecryptionFailed) as error:
            raise ArtefactCorrupt(f"The model file {name} is missing or damaged.") from error
        # Decryption shows that the tenant's key wrote the file; the hash shows that it is the file of this row.
        if _describe_file(content) != description:
            raise ArtefactCorrupt(f"The model file {name} differs from its manifest.")
        files[name] = content
    return files


def remove_artefact(tenant: TenantRef, artefact_id: UUID) -> None:
    """Removes an artefact's folder, if it exists."""
    remove_artefact_folder(tenant, str(artefact_id))


def remove_artefact_folder(tenant: TenantRef, name: str) -> None:
    """Removes a folder by a name that `list_artefact_folders` returned."""
    open_folder_store(tenant.region).remove_folder(f"{_format_tenant_folder(tenant)}/{name}")


def list_artefact_folders(tenant: TenantRef) -> list[str]:
    """Names of the tenant's artefact folders, including incomplete ones, which end in ".part"."""
    return open_folder_store(tenant.region).list_folders(_format_tenant_folder(tenant))


def _describe_file(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _build_stream_context(artefact_id: UUID, name: str) -> StreamContext:
    return StreamContext(
        purpose=Purpose.MODEL,
        version=str(artefact_id),
        name=name,
    )


def _escape_file_name(name: str) -> str:
    """Stores have flat folders."""
    return name.replace("/", "__")


def _format_tenant_folder(tenant: TenantRef) -> str:
    return f"models/{tenant.id}"


def _format_artefact_folder(tenant: TenantRef, artefact_id: UUID) -> str:
    return f"{_format_tenant_folder(tenant)}/{artefact_id}"
