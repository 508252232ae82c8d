from __future__ import annotations

from lepton_platform.api.call import NO_CONTENT, Call, Reply
from lepton_platform.api.operations import Answer, Binary, Declared
from tenants.data.actions import images as actions
from tenants.data.queries import images
from tenants.scope import Scope

TYPES = ("image/jpeg", "image/png", "image/webp")
# An image comes from a client and is shown on our origin: it may not run, frame or be read as anything else.
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}


@Declared(
    "put_item_image",
    "PUT",
    "items:write",
    "Set an item's image",
    (Answer(None, status=204, means="Stored, encrypted."),),
    body=Binary(TYPES, limit=actions.MAX_BYTES),
    codes=("not_found",),
).inside
def put(call: Call[bytes], s: Scope) -> Reply:
    actions.set_image(s, call.path["item_id"], call.body, str(call.request.content_type).lower())
    return NO_CONTENT


@Declared(
    "get_item_image",
    "GET",
    "items:read",
    "Read an item's image",
    (Answer(bytes, means="The image."),),
    codes=("not_found",),
).inside
def get(call: Call[None], s: Scope) -> Reply:
    content, content_type = images.image(s, call.path["item_id"])
    return Reply(content, content_type=content_type, headers=_SAFE)
