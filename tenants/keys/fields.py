from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def generate_id() -> UUID:
    """Returns a UUIDv7, ordered by time."""
    return uuid7()
