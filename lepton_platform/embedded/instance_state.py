"""What one installation keeps between starts, and the settings that follow from it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lepton_platform.embedded import databases
from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json, write_private_json
from lepton_platform.embedded.ports import find_free_port


@dataclass(frozen=True, slots=True, repr=False)
class InstanceState:
    """Passwords, keys and ports; made once for each `$LEPTON_HOME` and kept."""

    superuser_password: str
    migrator_password: str
    application_password: str
    valkey_password: str
    secret_key: str
    key_pepper: str
    scope_keys: dict[str, str]
    postgres_port: int
    valkey_port: int


def load_state(home: InstanceDirectory, regions: Sequence[str]) -> InstanceState:
    """Reads `supervisor.json`, adds what is missing (e.g. a new region), picks free ports, writes it back."""
    kept = read_json(home.secrets_file)
    scope_keys = kept.get("scope_keys", {})
    for name in ("CONTROL", *(region.upper() for region in regions)):
        scope_keys.setdefault(name, _generate_key())
    postgres_port = find_free_port(kept.get("postgres_port", 0))
    fresh: dict[str, Any] = {
        "superuser_password": secrets.token_urlsafe(32),
        "migrator_password": secrets.token_urlsafe(32),
        "application_password": secrets.token_urlsafe(32),
        "valkey_password": secrets.token_urlsafe(32),
        "secret_key": secrets.token_urlsafe(48),
        "key_pepper": _generate_key(),
    }
    ports = {
        "postgres_port": postgres_port,
        "valkey_port": find_free_port(kept.get("valkey_port", 0), excluded={postgres_port}),
    }
    whole = {**fresh, **kept, "scope_keys": scope_keys, **ports}
    write_private_json(home.secrets_file, whole)
    return InstanceState(**whole)


def _generate_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def build_environment(
    home: InstanceDirectory, state: InstanceState, regions: Sequence[str], *, broker_url: str
) -> dict[str, str]:
    """The embedded services in the names that `lepton_platform.env` reads."""
    values = {
        "BROKER_URL": broker_url,
        "LEPTON_REGIONS": ",".join(regions),
        "LEPTON_SECRET_KEY": state.secret_key,
        "LEPTON_KEY_PEPPER": state.key_pepper,
    }
    for name, key in state.scope_keys.items():
        values[f"LEPTON_SCOPE_KEY_{name}"] = key
    for plane, database in databases.build_database_names(regions).items():
        place = f"127.0.0.1:{state.postgres_port}/{database}"
        application = f"{databases.APPLICATION}:{state.application_password}"
        migrator = f"{databases.MIGRATOR}:{state.migrator_password}"
        values[f"DATABASE_URL_{plane}"] = f"postgresql://{application}@{place}"
        values[f"DATABASE_URL_{plane}_MIGRATE"] = f"postgresql://{migrator}@{place}"
    for region in regions:
        values[f"OBJECT_STORE_URL_{region.upper()}"] = (home.path / "objects" / region).as_uri()
        values[f"KMS_URL_{region.upper()}"] = (home.path / "kms" / f"{region}.key").as_uri()
    return values


def prepare_region_folders(home: InstanceDirectory, regions: Sequence[str]) -> None:
    """Object stores, and the folder where the local key service makes each region's root key at first use."""
    for folder in (
        home.path / "kms",
        home.path / "objects",
        *(home.path / "objects" / code for code in regions),
    ):
        folder.mkdir(exist_ok=True, mode=0o700)
