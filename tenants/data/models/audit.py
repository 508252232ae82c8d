from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import AppendOnly, TenantPolicy


class AuditEntry(TenantModel):
    """A row of the audit log of the data plane: who changed what. `facts` hold no personal data."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(2190), ExportPolicy.WITH_TENANT, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField()
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=80)
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    facts = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_auditentry_policy"), AppendOnly(name="data_auditentry_append")]


class Receipt(TenantModel):
    """The receipt of a recommendation: profile, items, model version and rules, encrypted."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(90), ExportPolicy.WITH_PROFILE, ErasurePolicy.WITH_PROFILE
    )

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField()
    profile_key = models.BinaryField(max_length=16, null=True)
    body = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_receipt_policy")]
        indexes = [models.Index(fields=["tenant_id", "profile_key"], name="data_receipt_profile")]
