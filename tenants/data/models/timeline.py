from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import TenantPolicy


class TimelineChunk(TenantModel):
    """Some events of one profile, encrypted together (see records.py). Chunks are inserted and deleted, never updated."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(395), ExportPolicy.WITH_PROFILE, ErasurePolicy.WITH_PROFILE, is_tenant_configurable=True
    )

    pk = models.CompositePrimaryKey("tenant_id", "profile_key", "seq")
    profile_key = models.BinaryField(max_length=16)
    seq = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.IntegerField()
    body = models.BinaryField()

    class Meta(TenantModel.Meta):
        db_table = "data_timeline"
        constraints = [TenantPolicy(name="data_timeline_policy")]


class SeenItems(TenantModel):
    """The items of a profile's merged chunks: ascending uint32 item numbers, encrypted."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(395), ExportPolicy.NOTHING, ErasurePolicy.WITH_PROFILE, is_tenant_configurable=True
    )

    pk = models.CompositePrimaryKey("tenant_id", "profile_key")
    profile_key = models.BinaryField(max_length=16)
    body = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_seenitems_policy")]


class BatchDigest(TenantModel):
    """The keyed digest of an event batch of the last day. A repeated batch only retries the rows that were rejected."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(days(1), ExportPolicy.NOTHING, ErasurePolicy.NEVER_PERSONAL)

    pk = models.CompositePrimaryKey("tenant_id", "digest")
    digest = models.BinaryField(max_length=16)
    rejected = models.BinaryField(default=b"")
    at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_batchdigest_policy")]


class CounterDelta(TenantModel):
    """A counter delta, inserted with the events it counts and folded into `Counter` by a worker."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(days(7), ExportPolicy.NOTHING, ErasurePolicy.NEVER_PERSONAL)

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.BigIntegerField()
    day = models.DateField()
    metric = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    scenario = models.CharField(max_length=60)
    count = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_counterdelta_policy")]


class Counter(TenantModel):
    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.NEVER_PERSONAL)

    pk = models.CompositePrimaryKey(
        "tenant_id",
        "day",
        "metric",
        "kind",
        "scenario",
    )
    day = models.DateField()
    metric = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    scenario = models.CharField(max_length=60)
    count = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_counter_policy")]
