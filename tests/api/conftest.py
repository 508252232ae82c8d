from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from recommender.serving.snapshot import cache
from tenants.regions import TenantRef

READ_ONLY = ["items:read", "profiles:read", "recommendations:read", "models:read", "jobs:read", "tenant:read"]


@pytest.fixture(autouse=True)
def nothing_is_loading(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serving of its own for each test, so that no thread reads a database behind the last one."""
    monkeypatch.setattr(cache, "_cache", None)
    yield
    if cache._cache is not None:
        cache._cache.stop()


@pytest.fixture
def owner(api: Callable[..., Any], tenant: TenantRef) -> Any:
    """A key of the tenant with every scope."""
    return api(tenant)


@pytest.fixture
def reader(api: Callable[..., Any], tenant: TenantRef) -> Any:
    """A key of the same tenant that may only read."""
    return api(tenant, scopes=READ_ONLY)


@pytest.fixture
def stranger(api: Callable[..., Any], stranger_tenant: TenantRef) -> Any:
    """A key of another tenant in the same region with every scope."""
    return api(stranger_tenant)


@pytest.fixture
def mugs(owner: Any) -> list[str]:
    """Three items of the tenant's catalogue."""
    items = [{"id": f"mug-{colour}", "title": f"{colour} mug"} for colour in ("blue", "red", "green")]
    answer = owner.post("/api/v1/items/batch", {"items": items})
    assert answer.json()["created"] == 3
    return [item["id"] for item in items]
