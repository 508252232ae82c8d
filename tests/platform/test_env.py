"""The configuration is read from the environment. An invalid setting is reported in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_platform.env import read_environment
from lepton_platform.setting_reader import InvalidSetting

ROOT = Path(__file__).resolve().parents[2]


def test_addresses_of_external_services_are_read(external_settings):
    env = read_environment(external_settings)
    assert sorted(env.databases) == ["data_eu", "default", "keys_eu"]
    assert (env.databases["default"].user, env.databases["default"].password) == ("lepton_app", "p@ss")
    assert env.valkey_url == "redis://:secret@valkey.internal:6379/1"
    assert env.allowed_hosts == ("lepton.example",)


def test_the_migrate_role_uses_separate_database_urls(external_settings):
    env = read_environment({**external_settings, "LEPTON_ROLE": "migrate"})
    assert {database.user for database in env.databases.values()} == {"lepton_migrate"}


def test_embedded_settings_are_not_mixed_into_external_ones(external_settings, tmp_path):
    (tmp_path / "services.json").write_text('{"LEPTON_SECRET_KEY": "embedded-embedded-embedded-embedded"}')
    del external_settings["LEPTON_SECRET_KEY"]
    with pytest.raises(InvalidSetting, match="LEPTON_SECRET_KEY is not set"):
        read_environment({**external_settings, "LEPTON_HOME": str(tmp_path)})


@pytest.fixture
def two_region_settings(external_settings):
    """Settings of two regions in one environment."""
    other = {
        name.replace("_EU", "_CN"): value.replace("eu", "cn") for name, value in external_settings.items()
    }
    return {**other, **external_settings, "LEPTON_REGIONS": "cn,eu"}


def test_settings_of_another_region_are_not_read(two_region_settings):
    env = read_environment({**two_region_settings, "LEPTON_SERVED_REGIONS": "cn"})
    assert sorted(env.databases) == ["data_cn", "default", "keys_cn"]
    eu = env.regions["eu"]
    assert (eu.object_store_url, eu.kms_url, eu.scope_key) == ("", "", b"")
    assert env.regions["cn"].scope_key


@pytest.mark.parametrize("role", ["app", "migrate"])
def test_a_machine_of_one_region_needs_no_setting_of_the_other(two_region_settings, role):
    eu_settings = {
        name: value
        for name, value in two_region_settings.items()
        if not name.removesuffix("_MIGRATE").endswith("_CN")
    }
    env = read_environment({**eu_settings, "LEPTON_SERVED_REGIONS": "eu", "LEPTON_ROLE": role})
    assert sorted(env.databases) == ["data_eu", "default", "keys_eu"]
    assert list(env.regions) == ["cn", "eu"]


def test_a_repr_contains_no_secrets(external_settings):
    representation = repr(read_environment(external_settings))
    assert "p@ss" not in representation
    assert "sssss" not in representation


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LEPTON_SECRET_KEY", "short", "LEPTON_SECRET_KEY must have at least 32 characters."),
        ("LEPTON_KEY_PEPPER", "%%%", "LEPTON_KEY_PEPPER must be base64."),
        ("LEPTON_SCOPE_KEY_EU", "c2hvcnQ=", "LEPTON_SCOPE_KEY_EU must hold at least 32 bytes in base64."),
        ("LEPTON_SERVED_REGIONS", "us", "LEPTON_SERVED_REGIONS lists 'us', which LEPTON_REGIONS does not."),
        ("LEPTON_REGIONS", "eu,eu", "LEPTON_REGIONS must list different lower-case region codes"),
        ("LEPTON_REGIONS", "EU!", "LEPTON_REGIONS must list different lower-case region codes"),
        ("LEPTON_ROLE", "root", "LEPTON_ROLE must be app, migrate or build."),
        ("LEPTON_BASE_URL", "lepton.example", "LEPTON_BASE_URL must be a URL"),
        ("LEPTON_ALLOWED_HOSTS", "*", "LEPTON_ALLOWED_HOSTS must name the hosts"),
        ("LEPTON_MODEL_CACHE_MIB", "much", "LEPTON_MODEL_CACHE_MIB must be a whole number."),
        ("LEPTON_MODEL_CACHE_MIB", "1", "LEPTON_MODEL_CACHE_MIB must lie between"),
        ("BROKER_URL", "http://broker", "BROKER_URL must be a URL that starts with redis://"),
        ("BROKER_URL", "amqp://rabbit/", "VALKEY_URL must be set when BROKER_URL is not"),
        ("KMS_URL_EU", "gcpkms://x", "KMS_URL_EU must be a URL that starts with file://"),
        ("OBJECT_STORE_URL_EU", "bucket", "OBJECT_STORE_URL_EU must be a URL"),
        ("DATABASE_URL_DATA_EU", "postgresql://db.internal/x", "DATABASE_URL_DATA_EU must look like"),
        ("DATABASE_URL_KEYS_EU", "mysql://a:b@c/d", "DATABASE_URL_KEYS_EU must be a URL"),
        ("DATABASE_URL_KEYS_EU", "postgresql://a:b@c:port/d", "DATABASE_URL_KEYS_EU is not a URL."),
        ("DATABASE_URL_KEYS_EU", "", "DATABASE_URL_KEYS_EU is not set"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_sentence(external_settings, name, value, sentence):
    with pytest.raises(InvalidSetting) as error_info:
        read_environment({**external_settings, name: value})
    assert str(error_info.value).startswith(sentence)
    assert "\n" not in str(error_info.value)


def test_a_broken_services_file_is_reported(tmp_path):
    (tmp_path / "services.json").write_text("{")
    with pytest.raises(InvalidSetting, match=r"services\.json cannot be read"):
        read_environment({"LEPTON_HOME": str(tmp_path)})


def test_the_build_role_needs_no_services(tmp_path):
    assert read_environment({"LEPTON_ROLE": "build", "LEPTON_HOME": str(tmp_path)}).role == "build"


def test_a_process_with_an_invalid_setting_exits_with_status_2_and_the_sentence(external_settings):
    environment = {"PATH": os.environ["PATH"], **external_settings, "LEPTON_SERVED_REGIONS": "mars"}
    completed = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stderr) == (
        2,
        "LEPTON_SERVED_REGIONS lists 'mars', which LEPTON_REGIONS does not.\n",
    )
