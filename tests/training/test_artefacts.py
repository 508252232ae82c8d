"""Artefact files are encrypted, bound to their model and tenant, and written atomically."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from uuid_utils.compat import uuid7

from recommender.registry import artefacts, orphans, store
from recommender.registry.artefacts import ArtefactCorrupt
from tenants.errors import StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import Actor

CANARY = b"canary-5f0e1c" * 20
FILES = {"ensemble.json": CANARY, "ease/arrays.safetensors": b"\0" * 3_000_000}


def get_artefact_folder(tenant: TenantRef, artefact_id: UUID) -> Path:
    root = settings.LEPTON_REGIONS[tenant.region].object_store_url.removeprefix("file://")
    return Path(root) / "models" / str(tenant.id) / str(artefact_id)


def test_artefact_files_are_read_back_and_stored_encrypted(tenant: TenantRef) -> None:
    artefact_id = uuid7()
    manifest = artefacts.write_artefact(tenant, artefact_id, FILES)
    stored = {path.name: path.read_bytes() for path in get_artefact_folder(tenant, artefact_id).iterdir()}
    assert artefacts.read_artefact(tenant, artefact_id, manifest) == FILES
    assert stored.keys() == {"ensemble.json", "ease__arrays.safetensors"}
    assert not any(CANARY[:13] in content for content in stored.values())
    assert manifest["bytes"] == sum(map(len, FILES.values()))


@pytest.mark.parametrize("offset", [0, 60, -1])
def test_a_flipped_bit_in_an_artefact_is_detected(tenant: TenantRef, offset: int) -> None:
    artefact_id = uuid7()
    manifest = artefacts.write_artefact(tenant, artefact_id, FILES)
    path = get_artefact_folder(tenant, artefact_id) / "ensemble.json"
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactCorrupt, match=r"ensemble\.json"):
        artefacts.read_artefact(tenant, artefact_id, manifest)


def test_a_truncated_or_missing_file_is_detected(tenant: TenantRef) -> None:
    artefact_id = uuid7()
    manifest = artefacts.write_artefact(tenant, artefact_id, FILES)
    path = get_artefact_folder(tenant, artefact_id) / "ease__arrays.safetensors"
    path.write_bytes(path.read_bytes()[: -(1 << 20)])
    with pytest.raises(ArtefactCorrupt):
        artefacts.read_artefact(tenant, artefact_id, manifest)
    path.unlink()
    with pytest.raises(ArtefactCorrupt):
        artefacts.read_artefact(tenant, artefact_id, manifest)


def test_files_of_another_model_or_tenant_are_not_decrypted(
    tenant: TenantRef, stranger_tenant: TenantRef
) -> None:
    own_id, other_id = uuid7(), uuid7()
    manifest = artefacts.write_artefact(tenant, own_id, FILES)
    artefacts.write_artefact(tenant, other_id, FILES)
    shutil.copy(
        get_artefact_folder(tenant, other_id) / "ensemble.json",
        get_artefact_folder(tenant, own_id) / "ensemble.json",
    )
    with pytest.raises(ArtefactCorrupt):
        artefacts.read_artefact(tenant, own_id, manifest)
    artefacts.write_artefact(stranger_tenant, own_id, FILES)
    shutil.copytree(
        get_artefact_folder(stranger_tenant, own_id), get_artefact_folder(tenant, own_id), dirs_exist_ok=True
    )
    with pytest.raises(ArtefactCorrupt):
        artefacts.read_artefact(tenant, own_id, manifest)


def test_a_failed_artefact_write_leaves_no_folder(tenant: TenantRef, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact_id = uuid7()

    def fail_with_full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail_with_full_disk)
    with pytest.raises(StoreUnavailable):
        artefacts.write_artefact(tenant, artefact_id, FILES)
    assert not get_artefact_folder(tenant, artefact_id).exists()


def test_files_are_synced_before_the_folder_is_renamed(
    tenant: TenantRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact_id = uuid7()
    folder_exists_at_sync: list[bool] = []
    sync = os.fsync

    def record_and_sync(handle: int) -> None:
        folder_exists_at_sync.append(get_artefact_folder(tenant, artefact_id).exists())
        sync(handle)

    monkeypatch.setattr(store.os, "fsync", record_and_sync)
    artefacts.write_artefact(tenant, artefact_id, FILES)
    assert folder_exists_at_sync == [False, False, False, True]


def test_orphaned_artefacts_are_removed_after_a_day(
    tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    recent, old = uuid7(), UUID(int=(uuid7().int & ((1 << 80) - 1)))
    for artefact_id in (recent, old):
        artefacts.write_artefact(tenant, artefact_id, FILES)
    unfinished_folder = get_artefact_folder(tenant, uuid4())
    unfinished_folder.with_name(f"{old}.part").mkdir()
    assert orphans.remove_orphaned_artefacts(tenant, actor=actor) == 2
    assert artefacts.list_artefact_folders(tenant) == [str(recent)]
