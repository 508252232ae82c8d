"""The admin classes of the staff pages."""

from lepton_platform.staff.pages.audit import AuditEntryAdmin
from lepton_platform.staff.pages.regions import RegionAdmin
from lepton_platform.staff.pages.tenants import TenantAdmin
from lepton_platform.staff.pages.users import UserAdmin

__all__ = ["AuditEntryAdmin", "RegionAdmin", "TenantAdmin", "UserAdmin"]
