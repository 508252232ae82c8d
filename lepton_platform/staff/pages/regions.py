"""The regions page."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lepton_platform.staff.figures import is_database_available
from lepton_platform.staff.pages.base import ReadOnlyAdmin
from lepton_platform.staff.pages.decorators import display_column
from lepton_platform.staff.site import site
from tenants import regions
from tenants.control.models import Region
from tenants.control.models.tenant import TenantStatus

# The colours of unfold's label for each state.
_HEALTH = {"ok": "success", "down": "danger", "elsewhere": "default"}


@admin.register(Region, site=site)
class RegionAdmin(ReadOnlyAdmin):
    """The configured regions with the state of their databases. Regions are changed in the settings, not here."""

    list_display = (
        "heading",
        "laws",
        "tenants",
        "data_health",
        "keys_health",
        "key_service",
        "store",
        "active",
    )
    fields = ("code", "name_en", "name_zh", "laws", "active", "key_service", "store")
    list_display_links = ("heading",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        """Adds the number of active tenants to each region."""
        is_active = Q(tenants__status=TenantStatus.ACTIVE)
        queryset: QuerySet[Region] = super().get_queryset(request)
        return queryset.annotate(live_tenants=Count("tenants", filter=is_active))

    @display_column(_("Region"), header=True, ordering="code")
    def heading(self, region: Region) -> tuple[str, str]:
        """Name and code."""
        return str(region), region.code

    @display_column(_("Jurisdiction"), ordering="jurisdiction")
    def laws(self, region: Region) -> str:
        """Jurisdiction, translated if it is one of `JURISDICTIONS`."""
        # gettext("") returns the header of the catalogue.
        return gettext(region.jurisdiction) if region.jurisdiction else "-"

    @display_column(_("Active tenants"), ordering="live_tenants")
    def tenants(self, region: Region) -> int:
        """Number of active tenants."""
        return int(getattr(region, "live_tenants", 0))

    @display_column(_("Data database"), label=_HEALTH)
    def data_health(self, region: Region) -> tuple[str, str]:
        """State of the region's data database."""
        return _check_health(region.code, "data")

    @display_column(_("Keys database"), label=_HEALTH)
    def keys_health(self, region: Region) -> tuple[str, str]:
        """State of the region's keys database."""
        return _check_health(region.code, "keys")

    @display_column(_("Key service"))
    def key_service(self, region: Region) -> str:
        """Kind of the key service."""
        return _get_url_scheme(region.code, "kms_url")

    @display_column(_("Object store"))
    def store(self, region: Region) -> str:
        """Kind of the object store."""
        return _get_url_scheme(region.code, "object_store_url")


def _check_health(code: str, plane: str) -> tuple[str, str]:
    """Returns the state and its label. The database of a region that is not served here is not queried."""
    if code not in regions.list_served():
        return "elsewhere", str(_("Not served here"))
    if is_database_available(f"{plane}_{code}"):
        return "ok", str(_("Available"))
    return "down", str(_("Unreachable"))


def _get_url_scheme(code: str, field_name: str) -> str:
    """Returns the scheme only: the rest of the URL may contain paths and account names."""
    if code not in regions.list_served():
        return "-"
    return urlsplit(str(getattr(settings.LEPTON_REGIONS[code], field_name))).scheme or "file"
