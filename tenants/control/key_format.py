"""The format of an API key: `lep_live_<region>_<id>_<secret><crc>`.

The checksum is not a protection. It rejects typing errors and false hits of secret scanners without a query.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

# Base 62: no character needs escaping in URLs, shells or HTTP headers.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH, _SECRET_LENGTH, _CRC_LENGTH = 14, 40, 6
# Accepts more lengths than `mint_api_key` generates, so that the lengths can be changed later.
_KEY_PATTERN = re.compile(
    r"lep_live_(?P<region>[a-z][a-z0-9-]{0,15})_(?P<id>[0-9A-Za-z]{12,22})_(?P<secret>[0-9A-Za-z]{32,64})"
    r"(?P<crc>[0-9A-Za-z]{6})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class KeyParts:
    """The parsed parts of an API key."""

    region: str
    id: str
    secret: str = field(repr=False)


def mint_api_key(region: str) -> tuple[KeyParts, str]:
    """Generates a key. Returns its parts and its full text, which is shown once."""
    parts = KeyParts(region, _generate_token(_ID_LENGTH), _generate_token(_SECRET_LENGTH))
    body = f"lep_live_{parts.region}_{parts.id}_{parts.secret}"
    return parts, body + compute_checksum(body)


def parse_api_key(raw: str) -> KeyParts | None:
    """Returns the parts of a key, or None if its form or checksum is wrong."""
    match = _KEY_PATTERN.fullmatch(raw)
    if match is None or compute_checksum(raw[:-_CRC_LENGTH]) != match["crc"]:
        return None
    return KeyParts(match["region"], match["id"], match["secret"])


def compute_checksum(body: str) -> str:
    """Returns the CRC-32 of `body` in base 62: six characters."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CRC_LENGTH):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def fingerprint(secret: str, pepper: bytes) -> bytes:
    """Returns what is stored of a secret: its HMAC-SHA256 under the pepper, which is in no database.

    A fast hash is enough, because a secret has 238 random bits.
    """
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)


def _generate_token(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
