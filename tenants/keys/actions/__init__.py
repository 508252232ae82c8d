from tenants.keys.actions.creation import create_tenant_keys
from tenants.keys.actions.erasures import mark_replayed, record_tombstones
from tenants.keys.actions.rewrapping import rewrap_tenant_keys, rotate_region_kek, rotate_tenant_kek
from tenants.keys.actions.rotation import ROLLOUT_PERIOD, destroy_key, rotate_purpose_key
from tenants.keys.actions.shredding import shred

__all__ = [
    "ROLLOUT_PERIOD",
    "create_tenant_keys",
    "destroy_key",
    "mark_replayed",
    "record_tombstones",
    "rewrap_tenant_keys",
    "rotate_purpose_key",
    "rotate_region_kek",
    "rotate_tenant_kek",
    "shred",
]
