"""Column types and defaults shared by models of the control plane."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from uuid_utils.compat import uuid7


def generate_id() -> UUID:
    """Returns a UUIDv7: ordered by time. It is hard to guess, but not a secret."""
    return uuid7()


def normalize_email(value: str) -> str:
    """Returns the form in which addresses are stored and compared: stripped, in lower case."""
    return value.strip().lower()


class LowercaseEmailField(models.EmailField):  # type: ignore[type-arg]  # generic in the stubs only
    """An e-mail address in lower case, so that an address has at most one account."""

    def get_prep_value(self, value: Any) -> Any:
        """Normalizes values that are saved and looked up."""
        return normalize_email(value) if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        """Normalizes values of forms."""
        return normalize_email(value) if isinstance(value, str) else value
