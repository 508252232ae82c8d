from __future__ import annotations

from collections.abc import Callable

import pytest

from tenants.data.actions import catalog, profiles
from tenants.data.types import ItemInput, ProfileInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope


@pytest.fixture
def add_items(actor: Actor) -> Callable[..., None]:
    def add(tenant: TenantRef, *ids: str) -> None:
        with scope(tenant, actor=actor) as s:
            catalog.upsert_items(s, [ItemInput(id=item_id, title=item_id.title()) for item_id in ids])

    return add


@pytest.fixture
def add_profile(actor: Actor) -> Callable[..., None]:
    def add(tenant: TenantRef, profile_id: str, **fields: object) -> None:
        with scope(tenant, actor=actor) as s:
            profiles.upsert_profiles(s, [ProfileInput(id=profile_id, **fields)])  # type: ignore[arg-type]

    return add


@pytest.fixture
def mugs(tenant: TenantRef, add_items: Callable[..., None]) -> None:
    add_items(tenant, "mug", "cup")
