from __future__ import annotations

from typing import TypedDict, Unpack

from django.db import IntegrityError, transaction

from tenants import audit, regions
from tenants.control.actions.permission_checks import require_permission, require_staff
from tenants.control.actions.tenant_checks import TenantInput, check_tenant_fields
from tenants.control.fields import generate_id
from tenants.control.models import Tenant
from tenants.control.models.tenant import TenantStatus
from tenants.control.queries.authentication import clear_api_key_cache
from tenants.control.queries.mappers import to_tenant_view
from tenants.control.read_models import TenantView
from tenants.errors import Conflict, Forbidden, Invalid, NotFound
from tenants.scope import Actor, Scope, control_scope

_STAFF_ONLY_FIELDS = frozenset({"plan"})


class TenantChanges(TypedDict, total=False):
    """The fields of a tenant that can be changed."""

    name: str
    plan: str
    language: str
    currency: str
    time_zone: str


def create_tenant(*, actor: Actor, **values: Unpack[TenantInput]) -> TenantView:
    """Creates the directory entry of a tenant with status "opening"; `tenants.privacy.onboarding` completes it.

    Raises Invalid, RegionNotServed, Conflict for a slug in use.
    """
    errors = check_tenant_fields(values)
    if errors:
        raise Invalid(errors)
    regions.require_served(values["region"])
    fields = {**values, "region_id": values["region"]}
    del fields["region"]
    row = Tenant(
        id=generate_id(),
        status=TenantStatus.OPENING,
        **fields,
    )
    with control_scope(row.id, actor=actor) as s:
        try:
            # A savepoint, so that the scope's transaction survives the violated unique constraint.
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict(f"The address name {row.slug!r} is in use.") from error
        audit.record_entry(
            s,
            "tenant.created",
            row.slug,
            vertical=row.vertical,
            region=row.region_id,
            plan=row.plan,
        )
    return to_tenant_view(row)


def activate_tenant(s: Scope) -> TenantView:
    """Sets the status "active", the last step of onboarding. Raises NotFound, Conflict for a suspended tenant."""
    row = _lock_tenant(s)
    if row.status == TenantStatus.SUSPENDED:
        raise Conflict("A suspended tenant is resumed, not activated.")
    return _set_status(s, row, TenantStatus.ACTIVE, "tenant.opened")


def suspend_tenant(s: Scope, *, reason: str) -> TenantView:
    """Suspends a tenant: its keys and portal stop working within 5 s; nothing is deleted. For staff.

    Raises Forbidden, NotFound, Invalid, Conflict.
    """
    require_staff(s)
    row = _lock_tenant(s)
    if row.status != TenantStatus.ACTIVE:
        raise Conflict("Only an active tenant can be suspended.")
    return _set_status(
        s,
        row,
        TenantStatus.SUSPENDED,
        "tenant.suspended",
        reason=_clean_reason(reason),
    )


def resume_tenant(s: Scope, *, reason: str) -> TenantView:
    """Ends a suspension. For staff. Raises Forbidden, NotFound, Invalid, Conflict."""
    require_staff(s)
    row = _lock_tenant(s)
    if row.status != TenantStatus.SUSPENDED:
        raise Conflict("This tenant is not suspended.")
    return _set_status(
        s,
        row,
        TenantStatus.ACTIVE,
        "tenant.resumed",
        reason=_clean_reason(reason),
    )


def update_tenant(s: Scope, **changes: Unpack[TenantChanges]) -> TenantView:
    """Changes fields; owners may change all but the plan, which is set by staff. Raises Forbidden, NotFound, Invalid."""
    require_permission(s, "privacy.write")
    if _STAFF_ONLY_FIELDS & changes.keys() and s.actor.kind not in {"staff", "system"}:
        raise Forbidden("The plan is changed by platform staff.")
    errors = check_tenant_fields(changes)
    if errors:
        raise Invalid(errors)
    row = _lock_tenant(s)
    for field, value in changes.items():
        setattr(row, field, value)
    row.save(update_fields=list(changes))
    clear_api_key_cache()
    facts = {field: str(value) for field, value in changes.items()}
    audit.record_entry(s, "tenant.changed", row.slug, **facts)
    return to_tenant_view(row)


def _lock_tenant(s: Scope) -> Tenant:
    row = Tenant.objects.select_for_update().filter(id=s.tenant_id).first()
    if row is None:
        raise NotFound("There is no such tenant.")
    return row


def _set_status(s: Scope, row: Tenant, status: TenantStatus, verb: str, **facts: str) -> TenantView:
    row.status = status
    row.save(update_fields=["status"])
    clear_api_key_cache()
    audit.record_entry(s, verb, row.slug, **facts)
    return to_tenant_view(row)


def _clean_reason(text: str) -> str:
    if not text.strip():
        raise Invalid.from_field("/reason", "required", "Say why; the tenant reads it.")
    return text.strip()[:500]
