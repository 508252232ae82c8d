from __future__ import annotations

from typing import Any

from tenants.control.queries import list_members
from tenants.control.roles import MemberRole
from tenants.scope import control_scope
from tests.portal.workspace import ACTOR, Workspace, add_colleague


def _roles(shop: Workspace) -> dict[str, MemberRole]:
    with control_scope(shop.ref.id, actor=ACTOR) as s:
        return {member.email: member.role for member in list_members(s)}


def test_a_person_is_added_by_address(shop: Workspace, owner: Any) -> None:
    address = f"eve-{shop.slug}@example.com"
    page = owner.post(shop.page("members"), {"email": address, "role": "analyst"}, follow=True)
    assert f"{address} is a member now." in page.content.decode()
    assert _roles(shop)[address] is MemberRole.ANALYST


def test_a_wrong_address_is_said_at_its_field(shop: Workspace, owner: Any) -> None:
    page = owner.post(shop.page("members"), {"email": "nobody", "role": "viewer"}).content.decode()
    assert "data-open-on-load" in page
    assert len(_roles(shop)) == 1


def test_a_role_can_be_changed_and_a_member_removed(shop: Workspace, owner: Any) -> None:
    colleague = add_colleague(shop, "viewer")
    owner.post(shop.page("members", f"{colleague.id}/role/"), {"role": "editor"})
    assert _roles(shop)[colleague.email] is MemberRole.EDITOR
    owner.post(shop.page("members", f"{colleague.id}/remove/"))
    assert colleague.email not in _roles(shop)


def test_the_last_owner_stays_and_the_reason_is_told(shop: Workspace, owner: Any) -> None:
    path = shop.page("members", f"{shop.owner.id}/remove/")
    assert "A tenant keeps at least one owner." in owner.post(path, follow=True).content.decode()
    demoted = owner.post(shop.page("members", f"{shop.owner.id}/role/"), {"role": "viewer"}, follow=True)
    assert "A tenant keeps at least one owner." in demoted.content.decode()
    assert _roles(shop)[shop.owner.email] is MemberRole.OWNER
