"""docs/settings.md lists exactly the variables that env.py reads, with their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from lepton_platform.env import read_environment
from tests.docs.markdown import ROOT, open_document

PAGE = open_document("docs/settings.md")
# Settings whose default is a value, not a rule.
WITH_DEFAULT = (
    *("LEPTON_MODEL_CACHE_MIB", "LEPTON_RAY_WORKERS", "LEPTON_RAY_MIN_EVENTS", "LEPTON_POOL_SIZE"),
    *("LEPTON_GATE_MIN_GAIN_PERCENT", "LEPTON_BASE_URL"),
)
BUILD = {"LEPTON_ROLE": "build", "LEPTON_REGIONS": "eu"}


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


def list_read_names() -> set[str]:
    """The variables that a build process with one region reads."""
    environment = RecordingEnvironment(BUILD)
    read_environment(environment)
    return {re.sub("_EU$", "_<REGION>", name) for name in environment.names}


def list_documented() -> dict[str, str]:
    """Default by setting, of all tables but that of `manage.py up`."""
    tables = [table[1:] for table in PAGE.iter_tables() if table[0][0] == "setting"]
    rows = [row for table in tables[:-1] for row in table]
    return {row[0].strip("`"): row[1] for row in rows}


def test_the_page_lists_what_env_reads() -> None:
    documented = {name for name in list_documented() if not name.endswith("_MIGRATE")}
    assert documented == list_read_names()


def test_every_database_has_its_migrator_address() -> None:
    databases = {name for name in list_documented() if name.startswith("DATABASE_URL_")}
    plain = {name for name in databases if not name.endswith("_MIGRATE")}
    assert {name.removesuffix("_MIGRATE") for name in databases - plain} == plain


@pytest.mark.parametrize("name", WITH_DEFAULT)
def test_the_documented_default_is_that_of_the_code(name: str) -> None:
    default = list_documented()[name].strip("`")
    assert read_environment({**BUILD, name: default}) == read_environment(BUILD)
    changed = default.replace("8000", "8001") if "://" in default else str(int(default) + 1)
    assert read_environment({**BUILD, name: changed}) != read_environment(BUILD)


def test_the_default_regions_are_those_of_the_code() -> None:
    env = read_environment({"LEPTON_ROLE": "build"})
    assert list_documented()["LEPTON_REGIONS"].strip("`") == ",".join(env.regions)


def test_the_settings_of_up_are_those_of_its_module() -> None:
    source = (ROOT / "lepton_platform" / "embedded" / "process_commands.py").read_text(encoding="utf-8")
    used = set(re.findall(r'environment\.get\("(LEPTON_\w+)"\)', source))
    last_table = list(PAGE.iter_tables())[-1]
    assert {row[0].strip("`") for row in last_table[1:]} == used
