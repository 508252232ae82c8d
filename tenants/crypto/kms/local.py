"""Root keys in a file of mode 0600, for development and single machines. If the file is lost, so is the data.

The file is JSON: `newest` (number of the root key that wraps) and `keys` (number -> 32 bytes in base64).
A wrapped secret is the number of its root key (4 bytes, big-endian), then a wrapped key (`tenants.crypto.wrapping`).
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenants.common.atomic_files import PRIVATE_MODE, write_atomically
from tenants.crypto.handles import KEY_BYTES, KeyHandle
from tenants.crypto.wrapping import unwrap_bytes, wrap_bytes
from tenants.errors import DecryptionFailed, KeyServiceUnavailable

_VERSION_BYTES = 4


@dataclass(
    frozen=True,
    slots=True,
    eq=False,
)
class _RootKeys:
    newest: int
    keys: Mapping[int, KeyHandle]


class LocalKms:
    """Reads the key file at each call, so a rotation by another process takes effect immediately."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """See Kms.wrap. Creates the key file at the first use."""
        if not self._path.exists():
            self.create_key_file()
        roots = self._read_keys()
        number = roots.newest.to_bytes(_VERSION_BYTES, "big")
        return number + wrap_bytes(roots.keys[roots.newest], secret, context=context)

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """See Kms.unwrap. Never creates the file: new keys could not open what the lost ones wrapped."""
        roots = self._read_keys()
        key = roots.keys.get(int.from_bytes(blob[:_VERSION_BYTES], "big"))
        if key is None:
            raise DecryptionFailed
        return unwrap_bytes(key, blob[_VERSION_BYTES:], context=context)

    def create_key_file(self) -> None:
        """Creates the file with one new root key, unless it exists."""
        self._path.parent.mkdir(
            parents=True,
            exist_ok=True,
            mode=0o700,
        )
        with self._lock_folder():
            if not self._path.exists():
                self._write_keys(_RootKeys(1, {1: KeyHandle.generate()}))

    def rotate(self) -> None:
        """See Kms.rotate."""
        with self._lock_folder():
            roots = self._read_keys()
            newest = roots.newest + 1
            self._write_keys(_RootKeys(newest, {**roots.keys, newest: KeyHandle.generate()}))

    @contextmanager
    def _lock_folder(self) -> Iterator[None]:
        # The folder is locked, because the file itself is replaced by a rename.
        lock = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read_keys(self) -> _RootKeys:
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise KeyServiceUnavailable("Other users can read the key file; its mode must be 0600.")
                return _parse_keys(file.read())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyServiceUnavailable("The key file cannot be read.") from error

    def _write_keys(self, roots: _RootKeys) -> None:
        """Replaces the file atomically: writes and syncs a new file, renames it, syncs the folder."""
        write_atomically(self._path, _serialize_keys(roots), mode=PRIVATE_MODE)


def _serialize_keys(roots: _RootKeys) -> bytes:
    keys = {}
    for number, key in roots.keys.items():
        keys[str(number)] = base64.b64encode(key.reveal_material()).decode()
    return json.dumps({"newest": roots.newest, "keys": keys}).encode()


def _parse_keys(content: bytes) -> _RootKeys:
    stored = json.loads(content)
    keys = {}
    for number, encoded in stored["keys"].items():
        keys[int(number)] = KeyHandle(base64.b64decode(encoded))
    if stored["newest"] not in keys:
        raise ValueError(f"The newest of the {KEY_BYTES}-byte keys is missing.")
    return _RootKeys(stored["newest"], keys)
