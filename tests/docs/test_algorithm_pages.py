"""The pages of the models follow one template and show the configuration classes."""

from __future__ import annotations

import dataclasses
import importlib
import re
from typing import Any

import pytest

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.search_space import get_search_spaces
from recommender.algorithms.ensemble.registry import MODEL_CLASSES
from tests.docs.markdown import DOCS, Document, open_document

MODEL_SECTIONS = [
    "Idea",
    "Formula",
    "Hyper-parameters",
    "Cost",
    "When it wins",
    "Measured",
    "Reference",
    "Class",
]
PAGES = {cls.name: DOCS / "algorithms" / f"{cls.__module__.rpartition('.')[2]}.md" for cls in MODEL_CLASSES}
MODELS = [pytest.param(cls, id=cls.name) for cls in MODEL_CLASSES]


def get_page(model_class: type[Recommender[Any]]) -> Document:
    return Document(PAGES[model_class.name])


def format_range(config_type: type[Any], name: str) -> str:
    """`not tuned`, `[low, high]` or `[low, high] log`."""
    inference, training = get_search_spaces(config_type)
    space = inference.get(name) or training.get(name)
    if space is None:
        return "not tuned"
    return f"[{space.low}, {space.high}]" + (" log" if space.log else "")


@pytest.mark.parametrize("model_class", MODELS)
def test_a_model_page_has_the_sections_of_the_template(model_class: type[Recommender[Any]]) -> None:
    headings = re.findall(r"^## (.+)$", get_page(model_class).text, re.MULTILINE)
    assert headings == MODEL_SECTIONS


@pytest.mark.parametrize("model_class", MODELS)
def test_a_model_page_names_the_model_and_links_its_class(model_class: type[Recommender[Any]]) -> None:
    page = get_page(model_class)
    assert f"(`{model_class.name}`)" in page.text.partition("\n")[0]
    module = importlib.import_module(model_class.__module__)
    path = "../../" + model_class.__module__.replace(".", "/") + ".py"
    assert f"[`{model_class.__name__}`]({path})" in page.text
    assert module.__dict__[model_class.__name__] is model_class


@pytest.mark.parametrize("model_class", MODELS)
def test_the_hyper_parameters_are_those_of_the_configuration(model_class: type[Recommender[Any]]) -> None:
    config_type = model_class.config_type
    expected = [
        [f"`{field.name}`", str(field.default), format_range(config_type, field.name)]
        for field in dataclasses.fields(config_type)
    ]
    table = get_page(model_class).get_table("name")
    assert sorted(row[:3] for row in table) == sorted(expected)
    assert all(row[3] for row in table)


def test_the_readme_lists_every_model_with_its_page() -> None:
    rows = open_document("README.md").get_table("name")
    assert sorted(row[0].strip("`") for row in rows) == sorted(PAGES)
    for name, _algorithm, _paper, link in rows:
        assert f"docs/algorithms/{PAGES[name.strip('`')].name}" in link
