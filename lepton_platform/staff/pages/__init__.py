from lepton_platform.staff.pages.audit import AuditPages
from lepton_platform.staff.pages.regions import RegionPages
from lepton_platform.staff.pages.tenants import TenantPages
from lepton_platform.staff.pages.users import UserPages

__all__ = ["AuditPages", "RegionPages", "TenantPages", "UserPages"]
