"""The audit log is append-only in the database, and a tenant reads only its own entries."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import ProgrammingError

from tenants import audit
from tenants.control.actions import suspend_tenant, update_tenant
from tenants.control.models import AuditEntry
from tenants.control.queries import list_audit_entries
from tenants.errors import Invalid
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops, control_scope


@pytest.mark.parametrize("statement", ["update", "delete"])
@pytest.mark.parametrize("claim", ["tenant", "ops"])
def test_the_application_can_neither_change_nor_remove_an_entry(
    tenant: TenantRef, actor: Actor, statement: str, claim: str
) -> None:
    open_scope = {
        "tenant": lambda: control_scope(tenant.id, actor=actor),
        "ops": lambda: control_ops("staff", actor=actor, reason="test"),
    }[claim]
    change = {
        "update": lambda rows: rows.update(verb="nothing.happened"),
        "delete": lambda rows: rows._raw_delete("default"),
    }[statement]
    with pytest.raises(ProgrammingError, match="permission denied"), open_scope():
        change(AuditEntry.objects.filter(tenant_id=tenant.id))
    with control_scope(tenant.id, actor=actor) as s:
        assert {entry.verb for entry in list_audit_entries(s)} >= {"tenant.created", "tenant.opened"}


def test_the_application_cannot_truncate_the_log(database: None, superuser: Any) -> None:
    granted = (
        "SELECT string_agg(p, ',' ORDER BY p) FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p "
        "WHERE has_table_privilege('lepton_app', 'control_auditentry', p)"
    )
    assert superuser().execute(granted).fetchone() == ("INSERT,SELECT",)


def test_an_entry_records_actor_verb_and_facts(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        update_tenant(s, name="Another name")
        newest = list_audit_entries(s)[0]
    assert (newest.verb, newest.actor_kind, newest.actor_id) == ("tenant.changed", actor.kind, actor.id)
    assert newest.facts == {"name": "Another name"}


def test_staff_actions_are_in_the_tenants_audit_log_with_the_reason(tenant: TenantRef) -> None:
    with control_scope(tenant.id, actor=Actor("staff", "ops-1")) as s:
        suspend_tenant(s, reason="Invoice 7 unpaid")
        newest = list_audit_entries(s)[0]
    assert (newest.actor_kind, newest.facts) == ("staff", {"reason": "Invoice 7 unpaid"})


def test_platform_entries_are_visible_to_staff_only(tenant: TenantRef, actor: Actor) -> None:
    with control_ops("staff", actor=actor, reason="test") as s:
        audit.record_entry(s, "platform.tested", str(tenant.id))
        assert AuditEntry.objects.filter(verb="platform.tested", subject=str(tenant.id)).count() == 1
    with control_scope(tenant.id, actor=actor):
        assert AuditEntry.objects.filter(verb="platform.tested").count() == 0


def test_a_tenant_cannot_write_to_the_log_of_another_tenant(
    tenant: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        control_scope(tenant.id, actor=actor) as s,
    ):
        AuditEntry.objects.create(
            tenant_id=stranger_tenant.id,
            at="2026-01-01T00:00Z",
            actor_kind="user",
            actor_id="x",
            verb="v",
            subject="s",
        )
    assert s.tenant == TenantRef(tenant.id, "")


def test_a_change_that_fails_leaves_no_entry(tenant: TenantRef, actor: Actor) -> None:
    def fail_late() -> None:
        with control_scope(tenant.id, actor=actor) as s:
            update_tenant(s, name="Never")
            raise RuntimeError("after the change")

    with pytest.raises(RuntimeError):
        fail_late()
    with control_scope(tenant.id, actor=actor) as s:
        assert "tenant.changed" not in {entry.verb for entry in list_audit_entries(s)}


def test_pages_of_the_log_have_no_gap_or_overlap(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        for n in range(5):
            audit.record_entry(s, "test.counted", str(n))
        first_page = list_audit_entries(s, limit=3)
        next_page = list_audit_entries(s, after=str(first_page[-1].id), limit=50)
        assert [e.id for e in first_page + next_page] == [e.id for e in list_audit_entries(s, limit=100)]


def test_an_entry_of_another_tenant_is_an_invalid_cursor(
    tenant: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        foreign = str(list_audit_entries(s)[0].id)
    with control_scope(stranger_tenant.id, actor=actor) as s, pytest.raises(Invalid):
        list_audit_entries(s, after=foreign)
