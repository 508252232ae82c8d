"""Errors of the domain. Each has a stable code; the exception handler of the API maps codes to HTTP statuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """`pointer` is a JSON pointer into the caller's input, e.g. ``/events/3/item_id``."""

    pointer: str
    code: str
    detail: str


class DomainError(Exception):
    """Base class. `detail` is the text for the caller: the argument, else the docstring of the class."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.code)
        self.detail = detail or (self.__doc__ or self.code)


class NotFound(DomainError):
    """No such object exists in this space."""

    code = "not_found"


class Invalid(DomainError):
    """The input has errors."""

    code = "invalid"

    def __init__(self, errors: list[FieldError], detail: str = "") -> None:
        if not detail and errors:
            detail = errors[0].detail
        super().__init__(detail)
        self.errors = errors

    @classmethod
    def from_field(cls, pointer: str, code: str, detail: str) -> Invalid:
        """Creates the error of a single field."""
        return cls([FieldError(pointer, code, detail)])


class Conflict(DomainError):
    """The state changed in the meantime or does not allow this."""

    code = "conflict"


class Forbidden(DomainError):
    """This key or role may not do that."""

    code = "forbidden"


class Unauthenticated(DomainError):
    """The credentials are missing or not valid."""

    code = "unauthenticated"


class TooLarge(DomainError):
    """The input is larger than what is accepted."""

    code = "too_large"


class QuotaExceeded(DomainError):
    """The plan's limit is reached."""

    code = "quota_exceeded"

    def __init__(self, detail: str = "", *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class TenantSuspended(DomainError):
    """This tenant is suspended."""

    code = "tenant_suspended"


class RegionNotServed(DomainError):
    """This process does not serve that region."""

    code = "region_not_served"


class KeyServiceUnavailable(DomainError):
    """The key service is not reachable; nothing was read or written."""

    code = "key_service_unavailable"


class StoreUnavailable(DomainError):
    """The database or object store is not reachable; no partial write remains."""

    code = "store_unavailable"


class DecryptionFailed(DomainError):
    """The value was not sealed for this place, or it was changed."""

    code = "decryption_failed"


class ScopeRequired(DomainError):
    """Tenant data was accessed outside a scope."""

    code = "scope_required"


class ScopeNested(DomainError):
    """A scope was opened inside another one of the same database."""

    code = "scope_nested"
