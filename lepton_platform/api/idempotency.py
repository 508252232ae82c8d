"""`Idempotency-Key` on POST: the work is done once, and a repeated request gets the stored response for a day."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from lepton_platform.api.errors import IdempotencyInFlight
from lepton_platform.api.messages import ApiRequest, ApiResponse
from tenants.data.actions import idempotency
from tenants.errors import Invalid
from tenants.scope import Scope

HEADER_NAME = "Idempotency-Key"
REPLAYED_HEADERS = {"Idempotent-Replayed": "true"}
_KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")


def run_once(s: Scope, request: ApiRequest[Any], respond: Callable[[], ApiResponse]) -> ApiResponse:
    """Calls `respond`, or returns the stored response of an earlier request with the same key.

    The work of `respond` and its stored response commit together, in the transaction of `s`.

    Raises:
        IdempotencyInFlight: The first request with this key has not finished.
        Invalid: The key is malformed, or it was used with another request.
    """
    key = _read_idempotency_key(request)
    if key is None:
        return respond()
    progress = idempotency.begin_request(s, key, _hash_request(request))
    if isinstance(progress, idempotency.RequestInProgress):
        raise IdempotencyInFlight()
    if isinstance(progress, idempotency.StoredResponse):
        return ApiResponse(progress.body, progress.status, headers=REPLAYED_HEADERS)
    response = respond()
    idempotency.finish_request(s, progress, status=response.status, body=response.content)
    return response


def _read_idempotency_key(request: ApiRequest[Any]) -> str | None:
    text = request.http_request.headers.get(HEADER_NAME)
    if text is None or request.http_request.method != "POST":
        return None
    if not _KEY_PATTERN.fullmatch(text):
        raise Invalid.from_field(f"/header/{HEADER_NAME}", "format", "1 to 255 visible ASCII characters.")
    return text


def _hash_request(api_request: ApiRequest[Any]) -> bytes:
    request = api_request.http_request
    # Method, path and query belong to the identity of a request: the same body may be sent to two addresses.
    head = f"{request.method}\n{request.path}\n{request.META.get('QUERY_STRING', '')}\n"
    return hashlib.blake2b(head.encode() + api_request.content, digest_size=16).digest()
