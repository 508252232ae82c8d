from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from tenants.base import TenantModel
from tenants.keys.fields import generate_id
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle
from tenants.rls import CompositeForeignKey, TenantOrOpsPolicy, TenantPolicy


class KeyState(models.TextChoices):
    """The life of a key: a pending and a retired key open, the active key seals and opens."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"
    DESTROYED = "destroyed"


class TenantKey(TenantModel):
    """A tenant's key-encryption key (KEK), wrapped by the region's root key. A destroyed KEK remains as an empty row.

    The policy also allows `ops:` claims, because a new root key rewraps the KEKs of all tenants.
    """

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.NOTHING, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField(default=generate_id, editable=False)
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=KeyState)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    wrapped_at = models.DateTimeField(default=timezone.now)
    destroyed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            TenantOrOpsPolicy(name="keys_tenantkey_policy"),
            models.UniqueConstraint(fields=["tenant_id", "version"], name="keys_tenantkey_version"),
            models.UniqueConstraint(
                fields=["tenant_id"],
                condition=models.Q(state="active"),
                name="keys_tenantkey_one_active",
            ),
            models.CheckConstraint(
                condition=models.Q(state="destroyed", wrapped=b"") | ~models.Q(state="destroyed"),
                name="keys_tenantkey_destroyed_is_empty",
            ),
        ]

    def __str__(self) -> str:
        return f"KEK {self.version} of {self.tenant_id}"


class PurposeKey(TenantModel):
    """A key of one purpose, wrapped by the tenant's KEK. `key_id` is part of ciphertexts and never reused."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.NOTHING, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField(default=generate_id, editable=False)
    key_id = models.PositiveIntegerField()
    purpose = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=KeyState)
    kek_version = models.PositiveIntegerField()
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    promoted_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            TenantPolicy(name="keys_purposekey_policy"),
            models.UniqueConstraint(fields=["tenant_id", "key_id"], name="keys_purposekey_key_id"),
            models.UniqueConstraint(
                fields=["tenant_id", "purpose"],
                condition=models.Q(state="active"),
                name="keys_purposekey_one_active",
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "purpose"],
                condition=models.Q(state="pending"),
                name="keys_purposekey_one_pending",
            ),
            models.CheckConstraint(
                condition=models.Q(state="destroyed", wrapped=b"") | ~models.Q(state="destroyed"),
                name="keys_purposekey_destroyed_is_empty",
            ),
            CompositeForeignKey(
                name="keys_purposekey_kek",
                columns=("tenant_id", "kek_version"),
                to_table="keys_tenantkey",
                to_columns=("tenant_id", "version"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} key {self.key_id} of {self.tenant_id}"
