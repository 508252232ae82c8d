"""A test client that authenticates with an API key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.test import Client

from tenants.control.actions import create_api_key
from tenants.control.api_scopes import API_SCOPES
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope


class ApiClient(Client):
    """Django's test client with a key and JSON bodies: `api.post("/api/v1/events", {"events": [...]})`."""

    def __init__(self, key: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {key}"})
        self.key = key

    def generic(self, method: str, path: str, data: Any = "", content_type: str = "", **extra: Any) -> Any:
        return super().generic(method, path, data, content_type or "application/json", **extra)

    def post(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:
        return super().post(path, {} if data is None else data, content_type, **extra)

    def put(self, path: str, data: Any = "", content_type: str = "application/json", **extra: Any) -> Any:
        return super().put(path, data, content_type, **extra)

    def patch(self, path: str, data: Any = "", content_type: str = "application/json", **extra: Any) -> Any:
        return super().patch(path, data, content_type, **extra)


def create_api_client(tenant: TenantRef, scopes: Iterable[str] | None, *, actor: Actor) -> ApiClient:
    with control_scope(tenant.id, actor=actor) as s:
        key = create_api_key(s, name="test", scopes=API_SCOPES if scopes is None else scopes)
    return ApiClient(key.secret)
