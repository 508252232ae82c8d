"""The shape of an API key: `lep_live_<region>_<id>_<secret><crc>`.

The checksum is no protection; it lets a typing error or a scanner's false hit be refused without any query.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH, _SECRET_LENGTH, _CRC_LENGTH = 14, 40, 6
_KEY_PATTERN = re.compile(
    r"lep_live_(?P<region>[a-z][a-z0-9-]{0,15})_(?P<id>[0-9A-Za-z]{12,22})_(?P<secret>[0-9A-Za-z]{32,64})"
    r"(?P<crc>[0-9A-Za-z]{6})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class KeyParts:
    region: str
    id: str
    secret: str = field(repr=False)


def mint_api_key(region: str) -> tuple[KeyParts, str]:
    """A new key's parts and the text that its holder sees once."""
    parts = KeyParts(region, _generate_token(_ID_LENGTH), _generate_token(_SECRET_LENGTH))
    body = f"lep_live_{parts.region}_{parts.id}_{parts.secret}"
    return parts, body + compute_checksum(body)


def parse_api_key(raw: str) -> KeyParts | None:
    """None for anything whose shape or checksum is wrong."""
    found = _KEY_PATTERN.fullmatch(raw)
    if found is None or compute_checksum(raw[:-_CRC_LENGTH]) != found["crc"]:
        return None
    return KeyParts(found["region"], found["id"], found["secret"])


def compute_checksum(body: str) -> str:
    """CRC-32 in base 62, six characters."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CRC_LENGTH):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def fingerprint(secret: str, pepper: bytes) -> bytes:
    """What is stored: HMAC-SHA256 under the pepper, which no database holds. Secrets have 238 random bits."""
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)


def _generate_token(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
