"""Cursor pagination. A cursor is opaque, signed, and valid for one tenant and one list."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import TypeVar
from uuid import UUID

from django.core.signing import BadSignature, Signer

from tenants.errors import Invalid

P = TypeVar("P")

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


def parse_page_size(query: Mapping[str, str]) -> int:
    """Returns `?limit=` as a number from 1 to 200. Raises Invalid."""
    return parse_count(query, "limit", default=DEFAULT_PAGE_SIZE, maximum=MAX_PAGE_SIZE)


def parse_count(query: Mapping[str, str], name: str, *, default: int, maximum: int) -> int:
    """Returns a query parameter as a number from 1 to `maximum`, or the default if it is absent. Raises Invalid."""
    text = query.get(name)
    if text is None:
        return default
    # int() accepts "٣", "1_0" and texts of any length; nine digits are more than any valid count has.
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= maximum:
        raise Invalid.from_field(f"/query/{name}", "range", f"A whole number from 1 to {maximum}.")
    return int(text)


def encode_cursor(tenant: UUID, listing: str, position: object) -> str | None:
    """Returns the cursor of a position in a list, or None if `position` is None (there is no next page)."""
    if position is None:
        return None
    signed = _build_signer(tenant, listing).sign(str(position))
    return base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")


def decode_cursor(
    tenant: UUID, listing: str, query: Mapping[str, str], parse: Callable[[str], P]
) -> P | None:
    """Returns the position after which the page starts, from `?cursor=`.

    Args:
        tenant: The tenant that the cursor must have been made for.
        listing: The list that the cursor must have been made for.
        query: The query parameters.
        parse: Converts the signed text to a position.

    Returns:
        The position, or None if there is no cursor (the first page).

    Raises:
        Invalid: The cursor was not made by `encode_cursor` for this tenant and list.
    """
    text = query.get("cursor")
    if text is None:
        return None
    try:
        # Cursors are sent without base64 padding, which would have to be escaped in a URL.
        padded = text + "=" * (-len(text) % 4)
        signed = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
        return parse(_build_signer(tenant, listing).unsign(signed))
    except (BadSignature, binascii.Error, ValueError) as error:
        raise Invalid.from_field("/query/cursor", "cursor", "This is not a cursor of this list.") from error


def _build_signer(tenant: UUID, listing: str) -> Signer:
    return Signer(salt=f"lepton.cursor.{tenant}.{listing}")
