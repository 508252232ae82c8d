from tenants.control.actions.keys import create_api_key, revoke_api_key, rotate_api_key
from tenants.control.actions.members import add_member, change_role, invite_member, remove_member
from tenants.control.actions.regions import sync_regions
from tenants.control.actions.tenants import (
    activate_tenant,
    create_tenant,
    resume_tenant,
    suspend_tenant,
    update_tenant,
)
from tenants.control.actions.users import create_user, set_password, update_user

__all__ = [
    "activate_tenant",
    "add_member",
    "change_role",
    "create_api_key",
    "create_tenant",
    "create_user",
    "invite_member",
    "remove_member",
    "resume_tenant",
    "revoke_api_key",
    "rotate_api_key",
    "set_password",
    "suspend_tenant",
    "sync_regions",
    "update_tenant",
    "update_user",
]
