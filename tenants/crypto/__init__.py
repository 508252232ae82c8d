"""Cryptography of the platform: key handles, authenticated encryption, pseudonyms and key services.

`seal` and `open` are the verbs of Go's `cipher.AEAD` and of RFC 9180: encrypt and authenticate, decrypt and verify.
This package imports no framework.
"""

from tenants.crypto.aead import BoundCipher
from tenants.crypto.handles import KeyHandle
from tenants.crypto.keyring import Keyring, KeyringEntry
from tenants.crypto.kms import Kms, create_kms_from_url
from tenants.crypto.purposes import Purpose

__all__ = ["BoundCipher", "KeyHandle", "Keyring", "KeyringEntry", "Kms", "Purpose", "create_kms_from_url"]
