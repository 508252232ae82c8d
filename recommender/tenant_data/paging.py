"""Reads large tables in pages, with a short transaction for each page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from typing import TypeVar

from tenants.data.queries import catalog, profiles, tenant_state
from tenants.data.types import ProfileInput, SpaceState, StoredItem
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

PAGE_SIZE = 5_000
Page = TypeVar("Page", bound=Sized)


@dataclass(
    frozen=True,
    slots=True,
)
class ProfilePage:
    """Profiles by key, ascending, and the tenant's settings when the page was read."""

    state: SpaceState
    profiles: dict[bytes, ProfileInput]

    def __len__(self) -> int:
        return len(self.profiles)


def iter_pages(
    tenant: TenantRef, load_page: Callable[[Scope, Page | None], Page], *, actor: Actor
) -> Iterator[Page]:
    """Yields pages until an empty one; `load_page` gets the previous page, or None for the first.

    No transaction is open while the caller works on a page.
    """
    # Keyset paging: each page starts after the last row of the previous one, however large the table is.
    page: Page | None = None
    while True:
        with scope(tenant, actor=actor) as s:
            page = load_page(s, page)
        if not len(page):
            return
        yield page


def iter_item_pages(tenant: TenantRef, *, actor: Actor) -> Iterator[list[StoredItem]]:
    """All items of the catalogue, including retired ones, in order of their last change."""
    return iter_pages(tenant, _load_item_page, actor=actor)


def iter_profile_pages(tenant: TenantRef, *, actor: Actor) -> Iterator[ProfilePage]:
    """All profiles in order of their keys; ends as soon as the tenant has switched personalisation off."""
    return iter_pages(tenant, _load_profile_page, actor=actor)


def _load_item_page(s: Scope, previous: list[StoredItem] | None) -> list[StoredItem]:
    version, item_no = 0, 0
    if previous is not None:
        version, item_no = previous[-1].version, previous[-1].item_no
    return catalog.list_changed_items(
        s,
        version,
        after_no=item_no,
        limit=PAGE_SIZE,
    )


def _load_profile_page(s: Scope, previous: ProfilePage | None) -> ProfilePage:
    state = tenant_state.get_state(s)
    if state.privacy.personalisation == "off":
        return ProfilePage(state, {})
    after = b"" if previous is None else max(previous.profiles)
    return ProfilePage(
        state,
        profiles.list_profiles(
            s,
            after=after,
            limit=PAGE_SIZE,
        ),
    )
