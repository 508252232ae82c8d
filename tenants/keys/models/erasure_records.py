from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from tenants.base import TenantModel
from tenants.keys.fields import generate_id
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import AppendOnly, TenantPolicy


class ErasureLedgerEntry(TenantModel):
    """An erased profile. The ledger is not part of data backups; it is replayed after one was restored.

    `mark` is the tombstone: an HMAC of the erased pseudonym under the tombstone key. It identifies the profile only
    together with its pseudonym.
    """

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(3 * 365), ExportPolicy.NOTHING, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    pk = models.CompositePrimaryKey("tenant_id", "mark")
    mark = models.BinaryField(max_length=32)
    erased_at = models.DateTimeField()
    replayed = models.BooleanField(default=False)

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="keys_erasureledgerentry_policy")]

    def __str__(self) -> str:
        return f"erasure at {self.erased_at:%Y-%m-%d}"


class ShredCertificate(TenantModel):
    """Proof that a tenant's keys were destroyed: which keys, when and by whom, signed by the platform."""

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
    """A row of the audit log of keys, written by `tenants.audit.record_entry`."""

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
