from __future__ import annotations

from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.base import ScopedManager
from tenants.control.models.tenant import Tenant
from tenants.control.models.user import User
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle
from tenants.rls import TenantOrOpsPolicy


class ApiKey(models.Model):
    """An API key: its properties and the HMAC of its secret, not the secret."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.WITH_TENANT)

    id = models.CharField(
        primary_key=True,
        max_length=22,
        editable=False,
    )
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="api_keys")
    name = models.CharField(_("name"), max_length=120)
    secret_hmac = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    cidrs = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        verbose_name=_("networks"),
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    # The successor after a rotation; the key stays valid until `expires_at`.
    replaced_by = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="replaces",
    )
    created_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        base_manager_name = "objects"
        constraints = [
            TenantOrOpsPolicy(name="control_apikey_policy"),
            models.CheckConstraint(condition=models.Q(scopes__len__gt=0), name="control_apikey_has_scopes"),
        ]

    def __str__(self) -> str:
        return self.name
