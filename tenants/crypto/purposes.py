"""What a key is for. A key of one purpose opens nothing of another."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    TIMELINE = "timeline"
    CATALOGUE = "catalogue"
    PROFILE = "profile"
    REVIEW = "review"
    RECEIPT = "receipt"
    MODEL = "model"
    EXPORT = "export"
    WEBHOOK = "webhook"
    IDEMPOTENCY = "idempotency"
    PSEUDONYM = "pseudonym"
    BLIND_INDEX = "blind_index"
    TOMBSTONE = "tombstone"


HASHING_PURPOSES = frozenset({Purpose.PSEUDONYM, Purpose.BLIND_INDEX, Purpose.TOMBSTONE})
"""HMAC keys. Their outputs are look-up keys, so they change by a re-keying job, never lazily."""
