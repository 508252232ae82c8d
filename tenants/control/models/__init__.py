from tenants.control.models.api_key import ApiKey
from tenants.control.models.audit import AuditEntry
from tenants.control.models.member import Member
from tenants.control.models.region import Region
from tenants.control.models.tenant import Tenant, Vertical
from tenants.control.models.user import User

__all__ = ["ApiKey", "AuditEntry", "Member", "Region", "Tenant", "User", "Vertical"]
