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
    return catalog.encode_item_row_id(item_no) + content_type.encode()


def get_image(s: Scope, item_id: str) -> tuple[bytes, str]:
    """The image and its content type. Raises NotFound for an unknown item and for one without an image."""
    row = (
        s.cursor(binary=True)
        .execute(_GET, (s.tenant_id, get_keyring(s.ref).derive_pseudonym("item", item_id)))
        .fetchone()
    )
    if row is None:
        raise NotFound("No image is stored for this item.")
    cipher = get_keyring(s.ref).get_cipher(Purpose.CATALOGUE, table="itemimage", column="body")
    return cipher.open(row[2], encode_image_row_id(row[0], row[1])), row[1]
