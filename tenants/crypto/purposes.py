"""Key purposes. A key of one purpose opens no value of another."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """What a key is used for; the values are stored with the wrapped keys."""

    TIMELINE = "timeline"
    CATALOGUE = "catalogue"
    PROFILE = "profile"
    REVIEW = "review"
    RECEIPT = "receipt"
    MODEL = "model"
    IDEMPOTENCY = "idempotency"
    PSEUDONYM = "pseudonym"
    TOMBSTONE = "tombstone"


# HMAC keys. Their outputs are look-up keys in the database, so a new key needs a job that recomputes them all;
# `rotate_keys` therefore does not change these keys.
HASHING_PURPOSES = frozenset({Purpose.PSEUDONYM, Purpose.TOMBSTONE})
