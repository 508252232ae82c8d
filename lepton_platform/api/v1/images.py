from __future__ import annotations

from lepton_platform.api.messages import NO_CONTENT, ApiRequest, ApiResponse
from lepton_platform.api.operations import BinaryBody, OperationDeclaration, ResponseSpec
from tenants.data.actions import images as actions
from tenants.data.media import images as media_images
from tenants.data.queries import images
from tenants.scope import Scope, scope

# An image comes from a client and is shown on our origin: it may not run, frame or be read as anything else.
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}


@OperationDeclaration(
    "put_item_image",
    "PUT",
    "items:write",
    "Set an item's image",
    (ResponseSpec(None, status=204, description="Stored, encrypted."),),
    description=(
        "An image has at most 8 MiB and 16 million pixels. It is kept as JPEG, or as WebP where it is transparent or "
        "moves, with at most 1,024 pixels on a side and without metadata; of a moving image four frames.\n\n"
        "A video (MP4 or WebM, coded as H.264, H.265, MPEG-4, VP8 or VP9) has at most 32 MiB and 4,096 pixels on a "
        "side. Four frames are kept, evenly chosen from its first 900 frames, or from fewer of large ones: as many as "
        "have 2,000 million pixels together. Nothing else of it is kept. One video is read at a time: 429 means that "
        "another one is.\n\n"
        "The next training reads how it looks."
    ),
    body=BinaryBody(media_images.MAX_BYTES_BY_TYPE),
    error_codes=("not_found",),
).bind_without_scope
def put_item_image(request: ApiRequest[bytes]) -> ApiResponse:
    picture = media_images.reencode_image(request.body, str(request.http_request.content_type).lower())
    with scope(request.tenant, actor=request.actor) as s:
        actions.set_image(s, request.path["item_id"], picture)
    return NO_CONTENT


@OperationDeclaration(
    "remove_item_image",
    "DELETE",
    "items:write",
    "Remove an item's image",
    (ResponseSpec(None, status=204, description="Removed, with what was read from it."),),
    description="The model in service forgets its look with the next training.",
    error_codes=("not_found",),
).bind_in_scope
def remove_item_image(request: ApiRequest[None], s: Scope) -> ApiResponse:
    actions.remove_image(s, request.path["item_id"])
    return NO_CONTENT


@OperationDeclaration(
    "get_item_image",
    "GET",
    "items:read",
    "Read an item's image",
    (ResponseSpec(bytes, description="The image."),),
    error_codes=("not_found",),
).bind_in_scope
def get_item_image(request: ApiRequest[None], s: Scope) -> ApiResponse:
    content, content_type = images.get_image(s, request.path["item_id"])
    return ApiResponse(content, content_type=content_type, headers=_SAFE_HEADERS)
