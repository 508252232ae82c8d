from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from tenants.base import TenantModel
from tenants.keys.fields import generate_id
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import AppendOnly, TenantPolicy


class Tombstone(TenantModel):
    """The ledger of erasures, outside the data's backups: replayed after a restore, so that nobody returns.

    `mark` is an HMAC of the erased pseudonym under a key of its own; it recognises, and gives nothing away.
    """

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(3 * 365), ExportPolicy.NOTHING, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    pk = models.CompositePrimaryKey("tenant_id", "mark")
    mark = models.BinaryField(max_length=32)
    erased_at = models.DateTimeField()
    replayed = models.BooleanField(default=False)

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="keys_tombstone_policy")]

    def __str__(self) -> str:
        return f"erasure at {self.erased_at:%Y-%m-%d}"


class ShredCertificate(TenantModel):
    """What remains of an off-boarded tenant: which keys were destroyed, when, signed by the platform."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(10 * 365), ExportPolicy.WITH_TENANT, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField(default=generate_id, editable=False)
    body = models.BinaryField()
    signature = models.BinaryField()
    signer = models.CharField(max_length=16)
    issued_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [
            TenantPolicy(name="keys_shredcertificate_policy"),
            AppendOnly(name="keys_shredcertificate_append"),
            models.UniqueConstraint(fields=["tenant_id"], name="keys_shredcertificate_tenant"),
        ]

    def __str__(self) -> str:
        return f"certificate for {self.tenant_id}"


class AuditEntry(TenantModel):
    """Written by `tenants.audit.record` only: who made, rotated or destroyed which key."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(6 * 365), ExportPolicy.WITH_TENANT, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField(default=generate_id, editable=False)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=200)
    verb = models.CharField(max_length=80)
    subject = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        constraints = [
            TenantPolicy(name="keys_auditentry_policy"),
            AppendOnly(name="keys_auditentry_append"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"
