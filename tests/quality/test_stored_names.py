"""A stored or public name changes only on purpose, together with stored_names.json."""

from __future__ import annotations

import json

import pytest

from tests.quality.stored_names import SNAPSHOT, Names, collect_names, list_array_names


@pytest.fixture(scope="module")
def names() -> dict[str, Names]:
    return collect_names()


@pytest.mark.parametrize("kind", sorted(json.loads(SNAPSHOT.read_text(encoding="utf-8"))))
def test_names_are_the_recorded_ones(kind: str, names: dict[str, Names]) -> None:
    recorded = json.loads(SNAPSHOT.read_text(encoding="utf-8"))[kind]
    assert names[kind] == recorded, (
        "A stored, sent or shown name changed. If that is meant, migrate what is stored, say so in the CHANGELOG and run "
        "`python -m tests.quality.write_stored_names`."
    )


def test_every_kind_is_recorded(names: dict[str, Names]) -> None:
    assert sorted(names) == sorted(json.loads(SNAPSHOT.read_text(encoding="utf-8")))


def test_each_kind_has_names(names: dict[str, Names]) -> None:
    assert all(any(things.values()) for things in names.values())


def test_array_names_are_read_from_the_header() -> None:
    header = b'{"b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    assert list_array_names(len(header).to_bytes(8, "little") + header) == ["a", "b"]
