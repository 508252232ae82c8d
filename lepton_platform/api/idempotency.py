"""`Idempotency-Key` on POST: one effect, and the same bytes again for a day."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from lepton_platform.api.call import Call, Reply
from lepton_platform.api.errors import InFlight
from tenants.data.actions import idempotency
from tenants.errors import Invalid
from tenants.scope import Scope

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def once_in(s: Scope, call: Call[Any], work: Callable[[], Reply]) -> Reply:
    """The work and its stored answer commit together with the scope, or neither does."""
    key = _key(call)
    if key is None:
        return work()
    begun = idempotency.begin(s, key, _digest(call))
    if isinstance(begun, idempotency.Busy):
        raise InFlight()
    if isinstance(begun, idempotency.Stored):
        return Reply(begun.body, begun.status, headers=REPLAYED)
    answer = work()
    idempotency.finish(s, begun, status=answer.status, body=answer.content)
    return answer


def _key(call: Call[Any]) -> str | None:
    text = call.request.headers.get(HEADER)
    if text is None or call.request.method != "POST":
        return None
    if not _KEY.fullmatch(text):
        raise Invalid.at(f"/header/{HEADER}", "format", "1 to 255 visible ASCII characters.")
    return text


def _digest(call: Call[Any]) -> bytes:
    request = call.request
    head = f"{request.method}\n{request.path}\n{request.META.get('QUERY_STRING', '')}\n"
    return hashlib.blake2b(head.encode() + call.content, digest_size=16).digest()
