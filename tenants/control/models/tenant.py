from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.control.fields import generate_id
from tenants.control.models.region import Region
from tenants.control.plans import ENTERPRISE, FREE, GROWTH
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle
from tenants.regions import TenantRef

SLUG_PATTERN = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"


PLAN_CHOICES = [(FREE.name, _("Free")), (GROWTH.name, _("Growth")), (ENTERPRISE.name, _("Enterprise"))]


class Vertical(models.TextChoices):
    """The industry of a tenant; it selects the privacy preset (`tenants.data.presets`)."""

    ECOMMERCE = "ecommerce", _("E-commerce")
    CONTENT = "content", _("Content")
    ADS = "ads", _("Advertising")
    FINANCE = "finance", _("Finance")
    EDUCATION = "education", _("Education")
    MEDICAL = "medical", _("Medical")


class TenantStatus(models.TextChoices):
    """The status of a tenant; only an active tenant can be used."""

    OPENING = "opening", _("Being set up")
    ACTIVE = "active", pgettext_lazy("state of a tenant", "Active")
    SUSPENDED = "suspended", _("Suspended")


class Tenant(models.Model):
    """A client company in the directory: its region, plan and status. Its data is in the region's data database."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(
        None, ExportPolicy.WITH_TENANT, ErasurePolicy.RETAINED_AS_EVIDENCE
    )

    id = models.UUIDField(
        primary_key=True,
        default=generate_id,
        editable=False,
    )
    slug = models.CharField(_("address name"), max_length=63, unique=True)
    name = models.CharField(_("name"), max_length=120)
    vertical = models.CharField(_("industry"), max_length=16, choices=Vertical.choices)
    region = models.ForeignKey(Region, models.PROTECT, related_name="tenants", verbose_name=_("region"))
    plan = models.CharField(
        _("plan"),
        max_length=16,
        choices=PLAN_CHOICES,
        default=FREE.name,
    )
    language = models.CharField(_("language"), max_length=16, default="en")
    currency = models.CharField(_("currency"), max_length=3)
    time_zone = models.CharField(_("time zone"), max_length=64)
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=TenantStatus.choices,
        default=TenantStatus.OPENING,
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(vertical__in=Vertical.values), name="control_tenant_vertical_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=TenantStatus.values), name="control_tenant_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(slug__regex=SLUG_PATTERN), name="control_tenant_slug_shape"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> TenantRef:
        """Id and region, to open a scope."""
        return TenantRef(self.id, self.region_id)
