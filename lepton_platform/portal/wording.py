"""Refusals in the reader's language. The domain speaks English; a code that stands here is said here."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.errors import DomainError, FieldError, Invalid

_WORDS = {
    "repeated_id": gettext_lazy("This id stands earlier in the same file; only the first was taken."),
    "invalid_network": gettext_lazy("This is not a network like 192.0.2.0/24."),
    "in_the_past": gettext_lazy("This date is in the past."),
    "invalid_email": gettext_lazy("This is not an e-mail address."),
    "quota_exceeded": gettext_lazy("The plan's limit is reached."),
    "too_large": gettext_lazy("The file is larger than what is accepted."),
    "longer_than_vertical": gettext_lazy("Longer than this industry's rules allow."),
    "looser_than_vertical": gettext_lazy(
        "Looser than this industry's rules; settings can only be tightened."
    ),
    "unknown_item": gettext_lazy("No item has this id; send the item first."),
}


def said(error: DomainError) -> str:
    """One sentence for the person who asked."""
    if isinstance(error, Invalid) and error.errors:
        return " ".join(said_at(one) for one in error.errors)
    if error.code in _WORDS:
        return str(_WORDS[error.code])
    return _(error.detail)


def said_at(error: FieldError) -> str:
    """The reason at one field; known refusals in the reader's language, others as the domain says them."""
    return str(_WORDS[error.code]) if error.code in _WORDS else _(error.detail)
