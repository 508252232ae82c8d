"""Queries on item images."""

from __future__ import annotations

from tenants.crypto import Purpose
from tenants.data.queries import catalog
from tenants.errors import NotFound
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

_GET = """
SELECT g.item_no, g.content_type, g.body FROM data_itemimage g
JOIN data_item i ON i.tenant_id = g.tenant_id AND i.item_no = g.item_no
WHERE i.tenant_id = %s AND i.item_key = %b
"""


def encode_image_row_id(item_no: int, content_type: str) -> bytes:
    """Returns the row id that an image is bound to. It contains the content type, so that can't be changed alone."""
    return catalog.encode_item_row_id(item_no) + content_type.encode()


def get_image(s: Scope, item_id: str) -> tuple[bytes, str]:
    """Returns the image and its content type. Raises NotFound for an unknown item and for one without an image."""
    key = get_keyring(s.ref).derive_pseudonym("item", item_id)
    row = s.cursor(binary=True).execute(_GET, (s.tenant_id, key)).fetchone()
    if row is None:
        raise NotFound("No image is stored for this item.")
    item_no, content_type, body = row
    cipher = get_keyring(s.ref).get_cipher(Purpose.CATALOGUE, table="itemimage", column="body")
    return cipher.open(body, encode_image_row_id(item_no, content_type)), content_type
