from __future__ import annotations

from tenants import audit
from tenants.crypto import Purpose
from tenants.data.queries import catalog, images
from tenants.errors import Invalid, TooLarge
from tenants.keys.queries import keyring
from tenants.scope import Scope

MAX_BYTES = 2 * 1024 * 1024
_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}
_PUT = """
INSERT INTO data_itemimage (tenant_id, item_no, content_type, body, updated_at) VALUES (%s, %s, %s, %s, now())
ON CONFLICT (tenant_id, item_no) DO UPDATE
SET content_type = excluded.content_type, body = excluded.body, updated_at = now()
"""


def set_image(s: Scope, item_id: str, content: bytes, content_type: str) -> None:
    """PNG, JPEG or WebP of at most 2 MiB, told by its first bytes. Raises NotFound, TooLarge, Invalid."""
    if len(content) > MAX_BYTES:
        raise TooLarge("An image has at most 2 MiB.")
    signature = _SIGNATURES.get(content_type)
    if signature is None or not content.startswith(signature):
        raise Invalid.at("", "unsupported_image", "Send PNG, JPEG or WebP with the matching Content-Type.")
    number = catalog.item_no(s, item_id)
    cipher = keyring(s.ref).cipher(Purpose.CATALOGUE, table="itemimage", column="body")
    sealed = cipher.seal(content, images.row_id(number, content_type))
    s.cursor().execute(_PUT, (s.tenant_id, number, content_type, sealed))
    audit.record(s, "item.image", f"item-no:{number}", bytes=len(content))
