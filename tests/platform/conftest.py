from __future__ import annotations

import base64

import pytest

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def external_settings() -> dict[str, str]:
    """A complete production environment for one region."""
    values = {
        "LEPTON_REGIONS": "eu",
        "LEPTON_BASE_URL": "https://lepton.example",
        "LEPTON_SECRET_KEY": "s" * 50,
        "LEPTON_KEY_PEPPER": KEY,
        "LEPTON_SCOPE_KEY_CONTROL": KEY,
        "LEPTON_SCOPE_KEY_EU": KEY,
        "BROKER_URL": "redis://:secret@valkey.internal:6379/0",
        "OBJECT_STORE_URL_EU": "s3://lepton-eu/models",
        "KMS_URL_EU": "awskms://eu-central-1/alias/lepton",
    }
    for plane in ("CONTROL", "DATA_EU", "KEYS_EU"):
        values[f"DATABASE_URL_{plane}"] = f"postgresql://lepton_app:p%40ss@db.internal/{plane.lower()}"
        values[f"DATABASE_URL_{plane}_MIGRATE"] = f"postgresql://lepton_migrate:p@db.internal/{plane.lower()}"
    return values
