"""Onboarding of a tenant: directory entry, keys, space in its region. Each step is idempotent."""

from __future__ import annotations

from typing import Unpack

from tenants.control import actions, queries
from tenants.control.actions.tenant_checks import TenantInput
from tenants.control.models import User
from tenants.control.read_models import TenantView
from tenants.control.roles import MemberRole
from tenants.data.actions.tenant_settings import open_space
from tenants.data.queries.tenant_state import is_open
from tenants.errors import Conflict
from tenants.keys.actions import create_tenant_keys
from tenants.keys.queries import list_keys
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, control_scope, scope


def open_tenant(*, owner: User | None, actor: Actor, **values: Unpack[TenantInput]) -> TenantView:
    """Creates a tenant and activates it, or completes an interrupted onboarding of the same slug.

    Args:
        owner: Becomes the owner if they are not a member; None for no member.
        actor: Recorded in the audit log.
        values: The fields of the tenant.

    Raises:
        Invalid: One error per wrong field.
        RegionNotServed: This process does not serve the region.
        Conflict: The slug is in use, or the keys of an interrupted onboarding are lost.
        KeyServiceUnavailable, StoreUnavailable: A repeated call completes the onboarding.
    """
    tenant = _find_opening_tenant(values) or actions.create_tenant(actor=actor, **values)
    return finish_opening(tenant, owner=owner, actor=actor)


def finish_opening(entry: TenantView, *, owner: User | None, actor: Actor) -> TenantView:
    """Completes the onboarding after the directory entry: keys, space, owner, activation.

    Raises Conflict if the keys are lost, KeyServiceUnavailable, StoreUnavailable.
    """
    _refuse_lost_keys(entry.ref, actor)
    create_tenant_keys(entry.ref, actor=actor)
    with scope(entry.ref, actor=actor) as s:
        open_space(s, vertical=entry.vertical)
    with control_scope(entry.id, actor=actor) as s:
        _ensure_owner(s, owner)
        return actions.activate_tenant(s)


def _find_opening_tenant(values: TenantInput) -> TenantView | None:
    entry = queries.find_opening_tenant(values["slug"])
    if entry is not None and (entry.vertical, entry.region) != (values["vertical"], values["region"]):
        raise Conflict(
            f"{entry.slug!r} is being set up as {entry.vertical} in {entry.region}; finish that first."
        )
    return entry


def _refuse_lost_keys(tenant: TenantRef, actor: Actor) -> None:
    # Keys are created before the space: a space without keys has lost them, and new keys could not open its rows.
    with scope(tenant, actor=actor) as s:
        opened = is_open(s)
    if opened and not list_keys(tenant, actor=actor):
        raise Conflict("This tenant's space exists but its keys are lost: restore the keys database.")


def _ensure_owner(s: Scope, owner: User | None) -> None:
    if owner is not None and queries.get_role(s, owner.id) is None:
        actions.add_member(s, owner, MemberRole.OWNER)
