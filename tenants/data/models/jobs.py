from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import TenantOrOpsPolicy, TenantPolicy


class JobState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(TenantModel):
    """A background job. The row is authoritative; messages only wake workers. It holds no personal data."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(365), ExportPolicy.WITH_TENANT, ErasurePolicy.NEVER_PERSONAL
    )

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField()
    kind = models.CharField(max_length=20)
    state = models.CharField(
        max_length=12,
        choices=JobState.choices,
        default=JobState.QUEUED,
    )
    phase = models.CharField(max_length=60, default="")
    percent = models.SmallIntegerField(default=0)
    attempt = models.SmallIntegerField(default=0)
    parameters = models.JSONField(default=dict)
    outcome = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, default="")
    lease_owner = models.CharField(max_length=80, default="")
    lease_until = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    requested_by = models.CharField(max_length=80, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [TenantOrOpsPolicy(name="data_job_policy")]
        indexes = [
            models.Index(
                fields=["state", "lease_until"],
                name="data_job_open",
                condition=models.Q(state__in=["queued", "running"]),
            )
        ]


class Outbox(TenantModel):
    """A message of the transactional outbox: written with the change that requires a task, published afterwards."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(days(7), ExportPolicy.NOTHING, ErasurePolicy.NEVER_PERSONAL)

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField()
    task = models.CharField(max_length=80)
    arguments = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [TenantOrOpsPolicy(name="data_outbox_policy")]
        indexes = [
            models.Index(
                fields=["created_at"],
                name="data_outbox_pending",
                condition=models.Q(published_at__isnull=True),
            )
        ]


class Idempotency(TenantModel):
    """The stored response of an Idempotency-Key, encrypted, for 24 hours."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(days(1), ExportPolicy.NOTHING, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "key_digest")
    key_digest = models.BinaryField(max_length=16)
    request_digest = models.BinaryField(max_length=16)
    status = models.SmallIntegerField(null=True)
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_idempotency_policy")]
