from tenants.keys.queries.evidence import certificate, erasure_times, tombstones
from tenants.keys.queries.inventory import KeyView, keys_of, tenants_with_keys
from tenants.keys.queries.keyrings import KEYRING_TTL, forget, keyring

__all__ = [
    "KEYRING_TTL",
    "KeyView",
    "certificate",
    "erasure_times",
    "forget",
    "keyring",
    "keys_of",
    "tenants_with_keys",
    "tombstones",
]
