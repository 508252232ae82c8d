from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle
from tenants.rls import CompositeForeignKey, TenantPolicy


class Item(TenantModel):
    """A catalogue item. `item_key` is the pseudonym of the client's id, which is in `body`. `item_no` is never reused."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "item_no")
    item_no = models.IntegerField()
    item_key = models.BinaryField(max_length=16)
    live = models.BooleanField(default=True)
    version = models.BigIntegerField()
    fingerprint = models.BinaryField(max_length=16)
    body = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "item_key"], name="data_item_key"),
            TenantPolicy(name="data_item_policy"),
        ]
        indexes = [models.Index(fields=["tenant_id", "version"], name="data_item_version")]


class ItemImage(TenantModel):
    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "item_no")
    item_no = models.IntegerField()
    content_type = models.CharField(max_length=40)
    body = models.BinaryField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            CompositeForeignKey(
                name="data_itemimage_item",
                columns=("tenant_id", "item_no"),
                to_table="data_item",
                to_columns=("tenant_id", "item_no"),
            ),
            TenantPolicy(name="data_itemimage_policy"),
        ]


class ItemImageEmbedding(TenantModel):
    """The embedding of an item's image by one encoder; empty if it can't be decoded. Deleted with the image."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.NOTHING, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "item_no")
    item_no = models.IntegerField()
    encoder = models.CharField(max_length=40)
    body = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [
            CompositeForeignKey(
                name="data_itemimageembedding_image",
                columns=("tenant_id", "item_no"),
                to_table="data_itemimage",
                to_columns=("tenant_id", "item_no"),
            ),
            TenantPolicy(name="data_itemimageembedding_policy"),
        ]


class Statement(TenantModel):
    """A rule or a triple of the tenant. `key` is a keyed hash of the rule's id or the triple's content."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.WITH_TENANT)

    pk = models.CompositePrimaryKey("tenant_id", "kind", "key")
    kind = models.CharField(max_length=10)
    key = models.BinaryField(max_length=16)
    body = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_statement_policy")]
