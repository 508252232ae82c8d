from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import CompositeForeignKey, TenantPolicy


class Review(TenantModel):
    """A review. `review_key` is the pseudonym of the client's review id; rating and texts are in `body`."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(1825), ExportPolicy.WITH_PROFILE, ErasurePolicy.WITH_PROFILE, is_tenant_configurable=True
    )

    pk = models.CompositePrimaryKey("tenant_id", "review_key")
    review_key = models.BinaryField(max_length=16)
    item_no = models.IntegerField()
    profile_key = models.BinaryField(max_length=16, null=True)
    at = models.DateTimeField()
    body = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [
            CompositeForeignKey(
                name="data_review_item",
                columns=("tenant_id", "item_no"),
                to_table="data_item",
                to_columns=("tenant_id", "item_no"),
            ),
            TenantPolicy(name="data_review_policy"),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "item_no", "at"], name="data_review_item_at"),
            models.Index(fields=["tenant_id", "profile_key"], name="data_review_profile"),
        ]
