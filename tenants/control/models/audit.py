from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.base import ScopedManager
from tenants.control.fields import generate_id
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import AppendOnly, TenantOrOpsPolicy


class AuditEntry(models.Model):
    """A row of the audit log, written by `tenants.audit.record_entry`. Rows without a tenant concern the platform."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(6 * 365), ExportPolicy.WITH_TENANT, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    id = models.UUIDField(
        primary_key=True,
        default=generate_id,
        editable=False,
    )
    tenant_id = models.UUIDField(_("tenant"), null=True, editable=False)
    at = models.DateTimeField(_("when"), editable=False)
    actor_kind = models.CharField(_("kind of actor"), max_length=16, editable=False)
    actor_id = models.CharField(_("actor"), max_length=200, editable=False)
    verb = models.CharField(_("what"), max_length=80, editable=False)
    subject = models.CharField(_("subject"), max_length=200, editable=False)
    facts = models.JSONField(_("facts"), default=dict, editable=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        base_manager_name = "objects"
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["tenant_id", "-at"], name="control_audit_by_tenant")]
        constraints = [
            TenantOrOpsPolicy(name="control_auditentry_policy"),
            AppendOnly(name="control_auditentry_append_only"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"
