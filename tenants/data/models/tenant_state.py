from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle
from tenants.rls import TenantPolicy


class TenantState(TenantModel):
    """One row per tenant: settings, event kinds, and counters for item numbers and versions.

    Catalogue writers lock the row, so versions are committed in the order of their numbers.
    """

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.WITH_TENANT)

    tenant_id = models.UUIDField(primary_key=True, editable=False)
    vertical = models.CharField(max_length=20)
    privacy = models.JSONField(default=dict)
    event_kinds = models.JSONField(default=dict)
    catalogue_version = models.BigIntegerField(default=0)
    next_item_no = models.IntegerField(default=1)
    next_source_no = models.IntegerField(default=1)
    knowledge_version = models.BigIntegerField(default=0)
    tombstones = models.IntegerField(default=0)
    last_event_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_tenantstate_policy")]
