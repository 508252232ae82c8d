from tenants.keys.queries.certificates import get_certificate, list_erasure_times, list_tombstones
from tenants.keys.queries.inventory import KeyView, list_keys, list_tenants_with_keys
from tenants.keys.queries.keyrings import KEYRING_TTL, forget_keyring, get_keyring

__all__ = [
    "KEYRING_TTL",
    "KeyView",
    "forget_keyring",
    "get_certificate",
    "get_keyring",
    "list_erasure_times",
    "list_keys",
    "list_tenants_with_keys",
    "list_tombstones",
]
