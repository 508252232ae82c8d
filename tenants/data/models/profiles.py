from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.base import TenantModel
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle, days
from tenants.rls import TenantPolicy


class Consent(models.IntegerChoices):
    """A profile's consent; the rule that applies it is in `queries/consent.py`."""

    UNKNOWN = 0
    GRANTED = 1
    REFUSED = 2


class Profile(TenantModel):
    """An end user of the tenant. `profile_key` is the pseudonym of the client's id; id and attributes are in `body`."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_PROFILE, ErasurePolicy.WITH_PROFILE)

    pk = models.CompositePrimaryKey("tenant_id", "profile_key")
    profile_key = models.BinaryField(max_length=16)
    consent = models.SmallIntegerField(choices=Consent.choices, default=Consent.UNKNOWN)
    body = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_profile_policy")]
        indexes = [
            models.Index(
                fields=["tenant_id", "profile_key"],
                name="data_profile_refused",
                condition=models.Q(consent=Consent.REFUSED),
            )
        ]


class Tombstone(TenantModel):
    """An erased profile, as a keyed hash of its pseudonym. Ingest drops its events from before `erased_at`."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        days(400), ExportPolicy.NOTHING, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    pk = models.CompositePrimaryKey("tenant_id", "mark")
    mark = models.BinaryField(max_length=32)
    erased_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = [TenantPolicy(name="data_tombstone_policy")]
