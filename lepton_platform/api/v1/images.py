"""The address `items/{item_id}/image`."""

from __future__ import annotations

from lepton_platform.api.messages import NO_CONTENT, ApiRequest, ApiResponse
from lepton_platform.api.operations import BinaryBody, ResponseSpec, operation
from tenants.data.actions import images as actions
from tenants.data.media import images as media_images
from tenants.data.queries import images
from tenants.scope import Scope, scope

# The image was uploaded by a client and is served from our origin: it must not be executed, framed or sniffed.
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}


@operation(
    name="put_item_image",
    method="PUT",
    scope="items:write",
    summary="Set an item's image",
    responses=(ResponseSpec(None, status=204, description="Stored, encrypted."),),
    description=(
        "An image has at most 8 MiB and 16 million pixels. It is re-encoded as JPEG, or as WebP if it is "
        "transparent or animated, with at most 1,024 pixels on a side and without metadata. Of an animated "
        "image four frames are stored.\n\n"
        "A video (MP4 or WebM, coded as H.264, H.265, MPEG-4, VP8 or VP9) has at most 32 MiB and 4,096 pixels "
        "on a side. Four evenly spaced frames are stored, taken from the first 900 frames, or from fewer if "
        "those have more than 2,000 million pixels together. The video itself is not stored. One video is "
        "decoded at a time: 429 means that another one is in progress.\n\n"
        "The next training computes the image's embedding."
    ),
    body=BinaryBody(media_images.MAX_BYTES_BY_TYPE),
    error_codes=("not_found",),
    transaction=False,
)
def put_item_image(request: ApiRequest[bytes]) -> ApiResponse:
    """Decodes and re-encodes the uploaded image or video before a transaction is opened, because it may take seconds."""
    content_type = str(request.http_request.content_type).lower()
    image = media_images.reencode_image(request.body, content_type)
    with scope(request.tenant, actor=request.actor) as s:
        actions.set_image(s, request.path["item_id"], image)
    return NO_CONTENT


@operation(
    name="remove_item_image",
    method="DELETE",
    scope="items:write",
    summary="Remove an item's image",
    responses=(ResponseSpec(None, status=204, description="Removed, together with its embedding."),),
    description="The active model uses the embedding until the next training.",
    error_codes=("not_found",),
)
def remove_item_image(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Deletes the image and its embedding."""
    actions.remove_image(s, request.path["item_id"])
    return NO_CONTENT


@operation(
    name="get_item_image",
    method="GET",
    scope="items:read",
    summary="Read an item's image",
    responses=(ResponseSpec(bytes, description="The image."),),
    error_codes=("not_found",),
)
def get_item_image(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns the stored image. The response's headers stop a browser from running it."""
    content, content_type = images.get_image(s, request.path["item_id"])
    return ApiResponse(content, content_type=content_type, headers=_SAFE_HEADERS)
