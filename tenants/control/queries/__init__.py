from tenants.control.models import User as Account
from tenants.control.queries.authentication import authenticate
from tenants.control.queries.keys import get_api_key, list_api_keys
from tenants.control.queries.members import get_membership_by_slug, get_role, list_members, list_memberships
from tenants.control.queries.platform import (
    check_regions,
    find_opening_tenant,
    find_user_by_email,
    list_regions,
    list_tenants,
)
from tenants.control.queries.tenants import get_tenant, list_audit_entries

__all__ = [
    "Account",
    "authenticate",
    "check_regions",
    "find_opening_tenant",
    "find_user_by_email",
    "get_api_key",
    "get_membership_by_slug",
    "get_role",
    "get_tenant",
    "list_api_keys",
    "list_audit_entries",
    "list_members",
    "list_memberships",
    "list_regions",
    "list_tenants",
]
