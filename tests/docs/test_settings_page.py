"""docs/settings.md lists exactly the variables that env.py reads, with their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from lepton_platform.env import Env, read_environment
from tests.docs.markdown import ROOT, open_document

PAGE = open_document("docs/settings.md")
INTEGERS = {
    "LEPTON_MODEL_CACHE_MIB": "model_cache_mib",
    "LEPTON_RAY_WORKERS": "ray_workers",
    "LEPTON_RAY_MIN_EVENTS": "ray_min_events",
    "LEPTON_POOL_SIZE": "pool_size",
    "LEPTON_GATE_MIN_GAIN_PERCENT": "gate_min_gain_percent",
}


class RecordingEnvironment(Mapping[str, str]):
    """An environment that remembers which variables were read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_with_recording() -> tuple[Env, set[str]]:
    """The settings of a build process with one region `eu`, and the variables that were read."""
    environment = RecordingEnvironment({"LEPTON_ROLE": "build", "LEPTON_REGIONS": "eu"})
    env = read_environment(environment)
    return env, {re.sub("_EU$", "_<REGION>", name) for name in environment.names}


def list_documented() -> dict[str, str]:
    """Default by setting, of all tables but that of `manage.py up`."""
    tables = [table[1:] for table in PAGE.iter_tables() if table[0][0] == "setting"]
    rows = [row for table in tables[:-1] for row in table]
    return {row[0].strip("`"): row[1] for row in rows}


def test_the_page_lists_what_env_reads() -> None:
    documented = {name for name in list_documented() if not name.endswith("_MIGRATE")}
    assert documented == read_with_recording()[1]


def test_every_database_has_its_migrator_address() -> None:
    databases = {name for name in list_documented() if name.startswith("DATABASE_URL_")}
    plain = {name for name in databases if not name.endswith("_MIGRATE")}
    assert {name.removesuffix("_MIGRATE") for name in databases - plain} == plain


@pytest.mark.parametrize("name", list(INTEGERS))
def test_the_default_of_a_number_is_that_of_the_code(name: str) -> None:
    env, _names = read_with_recording()
    assert int(list_documented()[name]) == getattr(env, INTEGERS[name])


def test_the_settings_of_up_are_those_of_its_module() -> None:
    source = (ROOT / "lepton_platform" / "embedded" / "process_commands.py").read_text(encoding="utf-8")
    used = set(re.findall(r'environment\.get\("(LEPTON_\w+)"\)', source))
    last_table = list(PAGE.iter_tables())[-1]
    assert {row[0].strip("`") for row in last_table[1:]} == used
