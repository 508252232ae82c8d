"""The configuration of a process, read once from `os.environ` and the embedded services' `$LEPTON_HOME/services.json`.

An invalid setting raises `InvalidSetting` with one sentence, which `settings.py` prints before it exits with status 2.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from lepton_platform.setting_reader import InvalidSetting, SettingReader, split_url

BASE_DIR = Path(__file__).resolve().parent.parent
ProcessRole = Literal["app", "migrate", "build"]
_REGION_NAMES = {"cn": ("China", "中国"), "eu": ("European Union", "欧盟"), "us": ("United States", "美国")}
_KMS_SCHEMES = ("file", "awskms", "vault")
_REGION_CODE = re.compile(r"[a-z][a-z0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """Names and addresses of a region. A region that this process does not serve has empty addresses and no key."""

    code: str
    name_en: str
    name_zh: str
    object_store_url: str = ""
    kms_url: str = ""
    scope_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A parsed `postgresql://` URL; `options` are its query parameters."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Env:
    """All settings of a process.

    `databases` maps Django aliases to URLs for the process's role: `default`, and `data_<region>` and
    `keys_<region>` of each served region. Settings of other regions are never read.

    Role `build` has placeholders for all services: it is for commands without data (assets, translations, type checks).
    """

    role: ProcessRole
    home: Path
    regions: dict[str, RegionConfig]
    served_regions: tuple[str, ...]
    databases: dict[str, DatabaseUrl] = field(repr=False)
    broker_url: str = field(repr=False)
    valkey_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    key_pepper: bytes = field(repr=False)
    control_scope_key: bytes = field(repr=False)
    base_url: str
    allowed_hosts: tuple[str, ...]
    model_cache_mib: int
    ray_address: str
    ray_workers: int
    ray_min_events: int
    language_models: str
    pool_size: int
    mail_url: str = field(repr=False)
    gate_min_gain_percent: int
    metrics_token: str = field(repr=False)


def get_default_home() -> Path:
    """`/var/lib/lepton` for root, whose services run as another account; else `.lepton` in the project folder."""
    return Path("/var/lib/lepton") if os.geteuid() == 0 else BASE_DIR / ".lepton"


def get_home_directory(environ: Mapping[str, str]) -> Path:
    """LEPTON_HOME or its default, as an absolute path."""
    return Path(environ.get("LEPTON_HOME") or get_default_home()).expanduser().absolute()


def uses_embedded_services(environ: Mapping[str, str]) -> bool:
    """True unless DATABASE_URL_CONTROL names an external control database."""
    return not environ.get("DATABASE_URL_CONTROL")


def read_environment(environ: Mapping[str, str]) -> Env:
    """Reads and validates all settings.

    Raises:
        InvalidSetting: the first setting that is missing or wrong.
    """
    home = get_home_directory(environ)
    role = _parse_role(environ.get("LEPTON_ROLE", "app"))
    is_build = role == "build"
    settings = environ
    if not is_build:
        settings = _merge_embedded_settings(environ, home)
    source = SettingReader(settings, is_build=is_build)
    codes = _parse_regions(source.get_text("LEPTON_REGIONS", "cn,eu,us"))
    broker_url = source.get_url(
        "BROKER_URL", ("redis", "rediss", "amqp", "amqps"), build_default="redis://127.0.0.1:1/0"
    )
    base_url = source.get_url("LEPTON_BASE_URL", ("http", "https"), default="http://127.0.0.1:8000")
    serves = _parse_served_regions(source.get_text("LEPTON_SERVED_REGIONS", ",".join(codes)), codes)
    return Env(
        role=role,
        home=home,
        regions={code: _build_region(source, code, is_served=code in serves) for code in codes},
        served_regions=serves,
        databases=_read_databases(source, serves, role),
        broker_url=broker_url,
        valkey_url=_resolve_valkey_url(source, broker_url),
        secret_key=source.get_secret("LEPTON_SECRET_KEY"),
        key_pepper=source.get_key("LEPTON_KEY_PEPPER"),
        control_scope_key=source.get_key("LEPTON_SCOPE_KEY_CONTROL"),
        base_url=base_url.rstrip("/"),
        allowed_hosts=_parse_hosts(source.get_text("LEPTON_ALLOWED_HOSTS", ""), base_url),
        model_cache_mib=source.get_integer("LEPTON_MODEL_CACHE_MIB", 512, min_value=16, max_value=1_048_576),
        ray_address=source.get_text("LEPTON_RAY_ADDRESS", ""),
        ray_workers=source.get_integer("LEPTON_RAY_WORKERS", 2, min_value=1, max_value=1_000),
        ray_min_events=source.get_integer("LEPTON_RAY_MIN_EVENTS", 20_000_000, min_value=0, max_value=10**12),
        language_models=source.get_directory("LEPTON_LANGUAGE_MODELS"),
        pool_size=source.get_integer("LEPTON_POOL_SIZE", 8, min_value=1, max_value=200),
        mail_url=source.get_url("MAIL_URL", ("smtp", "smtps", "file"), default=f"file://{home}/mail"),
        gate_min_gain_percent=source.get_integer(
            "LEPTON_GATE_MIN_GAIN_PERCENT",
            5,
            min_value=0,
            max_value=1_000,
        ),
        metrics_token=source.get_text("LEPTON_METRICS_TOKEN", ""),
    )


def _merge_embedded_settings(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Adds the embedded services' settings, unless an external control database is named: the two never mix."""
    if not uses_embedded_services(environ):
        return dict(environ)
    file = home / "services.json"
    try:
        services = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return dict(environ)
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{file} cannot be read: {error}.") from error
    # A variable that is set but empty must not hide the embedded value.
    overrides = {name: value for name, value in environ.items() if value}
    return {**services, **overrides}


def _parse_role(value: str) -> ProcessRole:
    if value not in get_args(ProcessRole):
        raise InvalidSetting("LEPTON_ROLE must be app, migrate or build.")
    return cast(ProcessRole, value)


def _parse_regions(value: str) -> tuple[str, ...]:
    codes = tuple(code.strip() for code in value.split(",") if code.strip())
    if not codes or len(set(codes)) != len(codes) or not all(_REGION_CODE.fullmatch(code) for code in codes):
        raise InvalidSetting("LEPTON_REGIONS must list different lower-case region codes, e.g. cn,eu,us.")
    return codes


def _parse_served_regions(value: str, codes: tuple[str, ...]) -> tuple[str, ...]:
    serves = tuple(code.strip() for code in value.split(",") if code.strip())
    # An empty list is an error instead of "all regions": a mistake must not widen what a process can read.
    if not serves:
        raise InvalidSetting("LEPTON_SERVED_REGIONS must list at least one region.")
    unknown = sorted(set(serves) - set(codes))
    if unknown:
        raise InvalidSetting(f"LEPTON_SERVED_REGIONS lists {unknown[0]!r}, which LEPTON_REGIONS does not.")
    return serves


def _build_region(source: SettingReader, code: str, *, is_served: bool) -> RegionConfig:
    suffix = code.upper()
    default_names = ",".join(_REGION_NAMES.get(code, (suffix, suffix)))
    names_text = source.get_text(f"LEPTON_REGION_NAME_{suffix}", default_names)
    english, _comma, chinese = names_text.partition(",")
    names = RegionConfig(code, english.strip(), (chinese or english).strip())
    return _add_addresses(source, names) if is_served else names


def _add_addresses(source: SettingReader, region: RegionConfig) -> RegionConfig:
    suffix = region.code.upper()
    setting = f"OBJECT_STORE_URL_{suffix}"
    store = source.get_text(setting, build_default="file:///nowhere")
    if not split_url(setting, store).scheme:
        raise InvalidSetting(f"{setting} must be a URL, e.g. file:///folder or s3://bucket/prefix.")
    return replace(
        region,
        object_store_url=store,
        kms_url=source.get_url(f"KMS_URL_{suffix}", _KMS_SCHEMES, build_default="file:///nowhere"),
        scope_key=source.get_key(f"LEPTON_SCOPE_KEY_{suffix}"),
    )


def _read_databases(
    source: SettingReader, served_regions: tuple[str, ...], role: ProcessRole
) -> dict[str, DatabaseUrl]:
    planes = {"default": "CONTROL"}
    for code in served_regions:
        planes[f"data_{code}"] = f"DATA_{code.upper()}"
        planes[f"keys_{code}"] = f"KEYS_{code.upper()}"
    suffix = "_MIGRATE" if role == "migrate" else ""
    return {alias: _read_database(source, f"DATABASE_URL_{plane}{suffix}") for alias, plane in planes.items()}


def _read_database(source: SettingReader, name: str) -> DatabaseUrl:
    value = source.get_url(
        name, ("postgresql", "postgres"), build_default="postgresql://build:build@127.0.0.1:1/build"
    )
    parts = split_url(name, value)
    database = unquote(parts.path.lstrip("/"))
    if not parts.hostname or not database or not parts.username:
        raise InvalidSetting(f"{name} must look like postgresql://role:password@host:5432/database.")
    account = unquote(parts.username), unquote(parts.password or "")
    return DatabaseUrl(parts.hostname, parts.port or 5432, database, *account, dict(parse_qsl(parts.query)))


def _resolve_valkey_url(source: SettingReader, broker_url: str) -> str:
    """URL of the cache and the rate limiter; by default database 1 of the broker, when the broker is Valkey."""
    if broker_url.startswith(("redis://", "rediss://")):
        default = re.sub(r"/\d*$", "", broker_url) + "/1"
        return source.get_url("VALKEY_URL", ("redis", "rediss"), default=default)
    if not source.values.get("VALKEY_URL"):
        raise InvalidSetting("VALKEY_URL must be set when BROKER_URL is not a Valkey or Redis address.")
    return source.get_url("VALKEY_URL", ("redis", "rediss"))


def _parse_hosts(value: str, base_url: str) -> tuple[str, ...]:
    """The host of the base URL and the listed hosts; for a loopback address `localhost` and `127.0.0.1` too."""
    hosts = [host.strip() for host in value.split(",") if host.strip()]
    if "*" in hosts:
        raise InvalidSetting("LEPTON_ALLOWED_HOSTS must name the hosts; `*` would accept any.")
    base_host = urlsplit(base_url).hostname
    if not base_host:
        raise InvalidSetting("LEPTON_BASE_URL must name a host.")
    hosts.insert(0, base_host)
    if _is_loopback(base_host):
        hosts += ["localhost", "127.0.0.1"]
    # Removes duplicates and keeps the order.
    return tuple(dict.fromkeys(hosts))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
