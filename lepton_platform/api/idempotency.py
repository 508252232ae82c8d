"""`Idempotency-Key` on POST: one effect, and the same bytes again for a day."""

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
    """The work and its stored answer commit together with the scope, or neither does."""
    key = _read_idempotency_key(request)
    if key is None:
        return respond()
    begun = idempotency.begin_request(s, key, _hash_request(request))
    if isinstance(begun, idempotency.RequestInProgress):
        raise IdempotencyInFlight()
    if isinstance(begun, idempotency.StoredResponse):
        return ApiResponse(begun.body, begun.status, headers=REPLAYED_HEADERS)
    answer = respond()
    idempotency.finish_request(s, begun, status=answer.status, body=answer.content)
    return answer


def _read_idempotency_key(request: ApiRequest[Any]) -> str | None:
    text = request.http_request.headers.get(HEADER_NAME)
    if text is None or request.http_request.method != "POST":
        return None
    if not _KEY_PATTERN.fullmatch(text):
        raise Invalid.from_field(f"/header/{HEADER_NAME}", "format", "1 to 255 visible ASCII characters.")
    return text


def _hash_request(api_request: ApiRequest[Any]) -> bytes:
    request = api_request.http_request
    head = f"{request.method}\n{request.path}\n{request.META.get('QUERY_STRING', '')}\n"
    return hashlib.blake2b(head.encode() + api_request.content, digest_size=16).digest()
