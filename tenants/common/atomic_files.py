"""Files that readers see with their old or their new content, never with a part of it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PRIVATE_MODE = 0o600


def write_atomically(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Replaces `path` by a new file, which is on disk (fsync) before it becomes visible.

    Args:
        path: the file; its folder exists.
        content: the whole content.
        mode: permissions, reduced by the umask.

    Raises:
        OSError: nothing was replaced.
    """
    # A random name: two writers must not write into the same temporary file.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        # O_EXCL: never writes into a file or symbolic link that somebody else put there.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Writes a folder's entries to disk; without it a rename may be lost with a power failure."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
