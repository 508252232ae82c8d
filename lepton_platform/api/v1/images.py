from __future__ import annotations

from lepton_platform.api.call import NO_CONTENT, Call, Reply
from lepton_platform.api.operations import Answer, Binary, Declared
from tenants.data import pictures
from tenants.data.actions import images as actions
from tenants.data.queries import images
from tenants.scope import Scope, scope

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
    about=(
        "An image has at most 8 MiB and 16 million pixels. It is kept as JPEG, or as WebP where it is transparent or "
        "moves, with at most 1,024 pixels on a side and without metadata; of a moving image four frames.\n\n"
        "A video (MP4 or WebM, coded as H.264, H.265, MPEG-4, VP8 or VP9) has at most 32 MiB and 4,096 pixels on a "
        "side. Four frames are kept, evenly chosen from its first 900 frames, or from fewer of large ones: as many as "
        "have 2,000 million pixels together. Nothing else of it is kept. One video is read at a time: 429 means that "
        "another one is.\n\n"
        "The next training reads how it looks."
    ),
    body=Binary(pictures.LIMITS),
    codes=("not_found",),
).outside
def put(call: Call[bytes]) -> Reply:
    picture = pictures.kept(call.body, str(call.request.content_type).lower())
    with scope(call.tenant, actor=call.actor) as s:
        actions.set_image(s, call.path["item_id"], picture)
    return NO_CONTENT


@Declared(
    "remove_item_image",
    "DELETE",
    "items:write",
    "Remove an item's image",
    (Answer(None, status=204, means="Removed, with what was read from it."),),
    about="The model in service forgets its look with the next training.",
    codes=("not_found",),
).inside
def remove(call: Call[None], s: Scope) -> Reply:
    actions.remove_image(s, call.path["item_id"])
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
