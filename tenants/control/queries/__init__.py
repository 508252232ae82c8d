from tenants.control.models import User as Account
from tenants.control.queries.authentication import authenticate
from tenants.control.queries.keys import api_key, api_keys
from tenants.control.queries.people import members, memberships, role_of, tenant_by_slug_for
from tenants.control.queries.platform import (
    half_made_tenant,
    region_problems,
    regions_directory,
    tenant_directory,
    user_by_email,
)
from tenants.control.queries.tenants import audit_page, tenant

__all__ = [
    "Account",
    "api_key",
    "api_keys",
    "audit_page",
    "authenticate",
    "half_made_tenant",
    "members",
    "memberships",
    "region_problems",
    "regions_directory",
    "role_of",
    "tenant",
    "tenant_by_slug_for",
    "tenant_directory",
    "user_by_email",
]
