"""Changes of item images."""

from __future__ import annotations

from tenants import audit
from tenants.crypto import Purpose
from tenants.data.media.images import EncodedImage
from tenants.data.queries import catalog, images
from tenants.errors import NotFound
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

_PUT = """
INSERT INTO data_itemimage (tenant_id, item_no, content_type, body, updated_at)
VALUES (%s, %s, %s, %s, clock_timestamp())
ON CONFLICT (tenant_id, item_no) DO UPDATE
SET content_type = excluded.content_type, body = excluded.body, updated_at = excluded.updated_at
"""
_DELETE_EMBEDDING = "DELETE FROM data_itemimageembedding WHERE tenant_id = %s AND item_no = %s"
_REMOVE = "DELETE FROM data_itemimage WHERE tenant_id = %s AND item_no = %s"


def set_image(s: Scope, item_id: str, image: EncodedImage) -> None:
    """Stores the item's image and deletes the embedding of the previous one. Raises NotFound."""
    number = catalog.get_item_no(s, item_id)
    cipher = get_keyring(s.ref).get_cipher(Purpose.CATALOGUE, table="itemimage", column="body")
    sealed = cipher.seal(image.content, images.encode_image_row_id(number, image.content_type))
    s.cursor().execute(_PUT, (s.tenant_id, number, image.content_type, sealed))
    s.cursor().execute(_DELETE_EMBEDDING, (s.tenant_id, number))
    audit.record_entry(s, "item.image", f"item-no:{number}", bytes=len(image.content))


def remove_image(s: Scope, item_id: str) -> None:
    """Deletes the item's image; a foreign key deletes its embedding. Raises NotFound, also if there is no image."""
    number = catalog.get_item_no(s, item_id)
    if not s.cursor().execute(_REMOVE, (s.tenant_id, number)).rowcount:
        raise NotFound("No image is stored for this item.")
    audit.record_entry(s, "item.image_removed", f"item-no:{number}")
