"""Folders of encrypted files in a region's object store: a local directory by default; S3, GCS or Azure by URL.

Readers never see an incomplete folder. Locally it is renamed into place after all files are synced; remotely the row in PostgreSQL
that names the folder is written after its last object.
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
    """Folders of files in one region. All methods raise StoreUnavailable if the store does not answer."""

    def put_folder(self, folder: str, files: Mapping[str, Iterable[bytes]]) -> None:
        """Writes all files durably, or leaves no folder that `read_file` finds."""

    def read_file(self, folder: str, name: str) -> bytes:
        """The file's content. Raises NotFound if it does not exist."""

    def remove_folder(self, folder: str) -> None:
        """Removes the folder with its files, if it exists."""

    def list_folders(self, parent: str) -> list[str]:
        """Names of the folders directly below `parent`, including incomplete ones."""


class LocalFolderStore:
    """Folders below a local directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_folder(self, folder: str, files: Mapping[str, Iterable[bytes]]) -> None:
        target = self._root / folder
        part = target.with_name(target.name + ".part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(
                parents=True,
                mode=0o700,
            )
            for name, chunks in files.items():
                _write_durably(part / name, chunks)
            # The files' names are durable before the folder gets the name under which it is read.
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
        directory = self._root / parent
        if not directory.is_dir():
            return []
        return sorted(entry.name for entry in directory.iterdir() if entry.is_dir())


class RemoteFolderStore:
    """Folders as key prefixes of an object store."""

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
        paths: list[str] = []
        for page in obstore.list(self._store, prefix=folder):
            paths.extend(entry["path"] for entry in page)
        if paths:
            obstore.delete(self._store, paths)

    def list_folders(self, parent: str) -> list[str]:
        listing = obstore.list_with_delimiter(self._store, prefix=parent)
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in listing["common_prefixes"])


def open_folder_store(region: str) -> FolderStore:
    """The store of a region. Raises RegionNotServed."""
    url = get_object_store_url(region)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalFolderStore(Path(unquote(parts.path)))
    return RemoteFolderStore(from_url(url))


def _write_durably(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as target:
        for chunk in chunks:
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())


def _sync_directory(path: Path) -> None:
    """Makes the directory's entries durable; fsync of a file does not do that."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
