"""Keys as handles, authenticated encryption bound to its place, pseudonyms, key services. No framework."""

from tenants.crypto.aead import BoundCipher
from tenants.crypto.handles import KeyHandle
from tenants.crypto.keyring import Keyring, KeyringEntry
from tenants.crypto.kms import Kms, create_kms_from_url
from tenants.crypto.purposes import Purpose

__all__ = ["BoundCipher", "KeyHandle", "Keyring", "KeyringEntry", "Kms", "Purpose", "create_kms_from_url"]
