"""Rows of the model registry: versions, and the pointer to the active one."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle
from tenants.rls import CompositeForeignKey, TenantPolicy


class ModelState(models.TextChoices):
    """The state of a version.

    CANDIDATE: accepted but not active, because another version was promoted during its training or because it was rolled
        back; a person may promote it.
    ACTIVE: serves. RETIRED: was active; may become active again while its artefact exists.
    REFUSED: the gate refused it, and nothing was published in its place. CORRUPT: its files failed verification.
    """

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"
    REFUSED = "refused"
    CORRUPT = "corrupt"


class ModelVersion(TenantModel):
    """The result of one training. Refused versions are stored too: their metrics are part of the history of quality."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "version")
    version = models.IntegerField()
    state = models.CharField(max_length=12, choices=ModelState)
    profile = models.CharField(max_length=8)
    job_id = models.UUIDField()
    artefact_id = models.UUIDField()
    has_artefact = models.BooleanField(help_text="Whether the encrypted files are in the object store.")
    manifest = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    reason = models.TextField(blank=True, default="", help_text="The reasons as English sentences.")
    reasons = models.JSONField(default=list, help_text="Codes and parameters of the decisions.")
    live = models.JSONField(
        default=dict,
        help_text="The last interim analysis of outcomes; see recommender.monitoring.auto_rollback.",
    )
    drift = models.JSONField(
        default=dict, help_text="The last measurement of drift; see recommender.monitoring.drift."
    )
    trained_at = models.DateTimeField()
    latest_event_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            TenantPolicy(name="recommender_modelversion_policy"),
            models.UniqueConstraint(fields=["tenant_id", "job_id"], name="recommender_modelversion_job"),
        ]

    def __str__(self) -> str:
        return f"v{self.version} ({self.state})"


class ActiveModel(TenantModel):
    """The pointer to the version that serves; changed by compare-and-set only."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.NOTHING, ErasurePolicy.WITH_TENANT)

    tenant_id = models.UUIDField(primary_key=True, editable=False)
    version = models.IntegerField()
    moves = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            TenantPolicy(name="recommender_activemodel_policy"),
            CompositeForeignKey(
                name="recommender_activemodel_version",
                columns=("tenant_id", "version"),
                to_table="recommender_modelversion",
                to_columns=("tenant_id", "version"),
            ),
        ]

    def __str__(self) -> str:
        return f"active v{self.version}"
