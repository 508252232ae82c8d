"""The request that a view receives and the response that it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from django.http import HttpRequest

from lepton_platform.api.auth import Caller
from tenants.regions import TenantRef
from tenants.scope import Actor

B = TypeVar("B")

JSON_CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[B]):
    """An authenticated, authorised and decoded request. `content` are the bytes that `body` was decoded from."""

    http_request: HttpRequest
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes
    body: B

    @property
    def tenant(self) -> TenantRef:
        return self.caller.tenant

    @property
    def actor(self) -> Actor:
        return self.caller.actor


@dataclass(frozen=True, slots=True)
class ApiResponse:
    content: bytes
    status: int = 200
    content_type: str = JSON_CONTENT_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)


def to_json_response(value: Any, *, status: int = 200) -> ApiResponse:
    """Encodes `value`, a Struct or dataclass, as JSON."""
    return ApiResponse(msgspec.json.encode(value), status)


NO_CONTENT = ApiResponse(b"", status=204)
