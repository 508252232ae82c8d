"""Folders of sealed files in a region's object store: a local folder by default, S3, GCS or Azure by URL.

A folder appears whole or not at all: locally by fsync and rename, remotely because the row in PostgreSQL that
names the folder is written after its last object.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from tenants.errors import NotFound, StoreUnavailable
from tenants.regions import get_object_store_url


class FolderStore(Protocol):
    def put_folder(self, folder: str, files: Mapping[str, Iterable[bytes]]) -> None:
        """Writes all files durably or leaves no folder behind. Raises StoreUnavailable."""

    def read_file(self, folder: str, name: str) -> bytes:
        """Raises NotFound for a missing file, StoreUnavailable when the store does not answer."""

    def remove_folder(self, folder: str) -> None:
        """A missing folder is fine."""

    def list_folders(self, parent: str) -> list[str]:
        """Names of the folders directly below `parent`, half-written ones included."""


class LocalFolderStore:
    def __init__(self, root: Path) -> None:
        self._root = root

    def put_folder(self, folder: str, files: Mapping[str, Iterable[bytes]]) -> None:
        target = self._root / folder
        part = target.with_name(target.name + ".part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True, mode=0o700)
            for name, chunks in files.items():
                _write_durably(part / name, chunks)
            _sync_directory(part)
            part.rename(target)
            _sync_directory(target.parent)
        except OSError as error:
            raise StoreUnavailable("The object store's folder cannot be written.") from error

    def read_file(self, folder: str, name: str) -> bytes:
        try:
            return (self._root / folder / name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"{name} is missing from the object store.") from error
        except OSError as error:
            raise StoreUnavailable("The object store's folder cannot be read.") from error

    def remove_folder(self, folder: str) -> None:
        shutil.rmtree(self._root / folder, ignore_errors=True)

    def list_folders(self, parent: str) -> list[str]:
        base = self._root / parent
        return sorted(entry.name for entry in base.iterdir() if entry.is_dir()) if base.is_dir() else []


class RemoteFolderStore:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put_folder(self, folder: str, files: Mapping[str, Iterable[bytes]]) -> None:
        try:
            for name, chunks in files.items():
                obstore.put(self._store, f"{folder}/{name}", iter(chunks))
        except BaseError as error:
            raise StoreUnavailable("The object store does not accept the files.") from error

    def read_file(self, folder: str, name: str) -> bytes:
        try:
            return bytes(obstore.get(self._store, f"{folder}/{name}").bytes())
        except FileNotFoundError as error:
            raise NotFound(f"{name} is missing from the object store.") from error
        except BaseError as error:
            raise StoreUnavailable("The object store does not answer.") from error

    def remove_folder(self, folder: str) -> None:
        paths = [entry["path"] for page in obstore.list(self._store, prefix=folder) for entry in page]
        if paths:
            obstore.delete(self._store, paths)

    def list_folders(self, parent: str) -> list[str]:
        found = obstore.list_with_delimiter(self._store, prefix=parent)
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])


def open_folder_store(region: str) -> FolderStore:
    """Raises RegionNotServed."""
    url = get_object_store_url(region)
    if urlsplit(url).scheme == "file":
        return LocalFolderStore(Path(unquote(urlsplit(url).path)))
    return RemoteFolderStore(from_url(url))


def _write_durably(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as target:
        for chunk in chunks:
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
