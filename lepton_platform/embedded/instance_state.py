"""Passwords, keys and ports of one installation, and the environment variables derived from them."""

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
    """Passwords, keys and ports; generated at the first start of a `$LEPTON_HOME` and stored in `supervisor.json`."""

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
    """Reads `supervisor.json`, generates missing values (e.g. the key of a new region), picks free ports, writes it back."""
    stored = read_json(home.secrets_file)
    scope_keys = stored.get("scope_keys", {})
    for name in ("CONTROL", *(region.upper() for region in regions)):
        scope_keys.setdefault(name, _generate_key())
    postgres_port = find_free_port(stored.get("postgres_port", 0))
    generated: dict[str, Any] = {
        "superuser_password": secrets.token_urlsafe(32),
        "migrator_password": secrets.token_urlsafe(32),
        "application_password": secrets.token_urlsafe(32),
        "valkey_password": secrets.token_urlsafe(32),
        "secret_key": secrets.token_urlsafe(48),
        "key_pepper": _generate_key(),
    }
    # The ports of the last start may be taken by now; neither server listens yet, so exclude the first one's port.
    valkey_port = find_free_port(stored.get("valkey_port", 0), excluded={postgres_port})
    ports = {"postgres_port": postgres_port, "valkey_port": valkey_port}
    # Later entries win: stored values replace generated ones, new ports and completed keys replace stored ones.
    state = {**generated, **stored, "scope_keys": scope_keys, **ports}
    write_private_json(home.secrets_file, state)
    return InstanceState(**state)


def _generate_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def build_environment(
    home: InstanceDirectory,
    state: InstanceState,
    regions: Sequence[str],
    *,
    broker_url: str,
) -> dict[str, str]:
    """Settings of the embedded services, keyed by the environment variables that `lepton_platform.env` reads.

    Args:
        home: where object stores and key files are.
        state: passwords, keys and ports.
        regions: region codes.
        broker_url: Valkey's URL.
    """
    values = {
        "BROKER_URL": broker_url,
        "LEPTON_REGIONS": ",".join(regions),
        "LEPTON_SECRET_KEY": state.secret_key,
        "LEPTON_KEY_PEPPER": state.key_pepper,
    }
    for name, key in state.scope_keys.items():
        values[f"LEPTON_SCOPE_KEY_{name}"] = key
    for plane, database in databases.build_database_names(regions).items():
        address = f"127.0.0.1:{state.postgres_port}/{database}"
        application = f"{databases.APPLICATION}:{state.application_password}"
        migrator = f"{databases.MIGRATOR}:{state.migrator_password}"
        values[f"DATABASE_URL_{plane}"] = f"postgresql://{application}@{address}"
        values[f"DATABASE_URL_{plane}_MIGRATE"] = f"postgresql://{migrator}@{address}"
    for region in regions:
        values[f"OBJECT_STORE_URL_{region.upper()}"] = (home.path / "objects" / region).as_uri()
        values[f"KMS_URL_{region.upper()}"] = (home.path / "kms" / f"{region}.key").as_uri()
    return values


def prepare_region_folders(home: InstanceDirectory, regions: Sequence[str]) -> None:
    """Creates the object stores, and the folder in which the local key service creates root keys at first use."""
    folders = [home.path / "kms", home.path / "objects"]
    folders += [home.path / "objects" / code for code in regions]
    for folder in folders:
        folder.mkdir(exist_ok=True, mode=0o700)
