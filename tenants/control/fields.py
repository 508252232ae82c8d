"""Column types and defaults that several models of the control plane share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from uuid_utils.compat import uuid7


def generate_id() -> UUID:
    """A UUIDv7: ordered by time, unguessable enough for an id, never a secret."""
    return uuid7()


def normalize_email(value: str) -> str:
    return value.strip().lower()


class LowercaseEmailField(models.EmailField):  # type: ignore[type-arg]  # generic in the stubs only
    """Compared and stored in lower case, so that one address is one account."""

    def get_prep_value(self, value: Any) -> Any:
        return normalize_email(value) if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        return normalize_email(value) if isinstance(value, str) else value
