"""Contradictory specifications are refused. A denied attribute is denied under every spelling."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.features.denied_attributes import SYNONYMS, DeniedAttributes
from recommender.features.specification import Feature, FeatureSpecification
from recommender.types import DataError


def make_specification(*features: Feature, denied: tuple[str, ...] = ()) -> FeatureSpecification:
    return FeatureSpecification(features, denied)


def test_features_are_selected_by_role_in_declaration_order() -> None:
    brand, price = Feature("brand", "item", "categorical"), Feature("price", "item", "numeric")
    region = Feature("region", "user", "categorical", personal=True)
    specification = make_specification(brand, region, price)
    assert (
        specification.select_features("item"),
        specification.select_features("user"),
        specification.select_features("context"),
    ) == ((brand, price), (region,), ())


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Feature("Price", "item", "categorical"), "different kind: numeric and categorical"),
        (Feature("price", "context", "numeric"), "different role: item and context"),
        (Feature("prices", "item", "numeric", allowed=False), "different allowed"),
        (Feature("price", "item", "numeric"), "specified twice"),
    ],
)
def test_a_name_declared_twice_is_refused_with_the_difference(other: Feature, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_specification(Feature("price", "item", "numeric"), other)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "colour", "role": "item", "kind": "categorical", "personal": True}, "cannot be personal"),
        ({"name": "colour", "role": "shop", "kind": "categorical"}, "role 'shop'"),
        ({"name": "colour", "role": "item", "kind": "colour"}, "kind 'colour'"),
        ({"name": " _ ", "role": "item", "kind": "numeric"}, "holds no word"),
    ],
)
def test_an_invalid_feature_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Feature(**fields)


@pytest.mark.parametrize(
    ("denied", "name"),
    [
        ("gender", "Gender"),
        ("gender", "SEX"),
        ("sex", "customer_gender_code"),
        ("gender", "userGenders"),
        ("gender", "ｇｅｎｄｅｒ"),
        ("gender", "gen\u200bder"),
        ("gender", "客户性别"),
        ("age", "dateOfBirth"),
        ("age", "dateofbirth"),
        ("age", "Age2"),
        ("marital", "marital-status"),
        ("marital_state", "Married"),
        ("postcode", "ZIP code"),
        ("race", "ethnicity"),
        ("health", "HealthClaims"),
        ("hiv", "HIVStatus"),
        ("shoe size", "shoe_size_eu"),
    ],
)
def test_a_denied_name_is_denied_in_every_spelling(denied: str, name: str) -> None:
    with pytest.raises(DataError, match="is a denied attribute"):
        make_specification(Feature(name, "user", "categorical", personal=True), denied=(denied,))


@pytest.mark.parametrize(
    "name", ["page", "package", "grace", "essex", "trace_id", "brand", "stage", "average"]
)
def test_a_name_that_only_contains_the_letters_of_a_denied_one_is_allowed(name: str) -> None:
    denied = DeniedAttributes(word for synonyms in SYNONYMS for word in synonyms)
    assert denied.find_denied_match(name) == ""


def test_a_denied_attribute_may_be_declared_as_not_allowed() -> None:
    specification = make_specification(
        Feature("gender", "user", "categorical", allowed=False), denied=("sex",)
    )
    assert specification.select_features("user") == ()


@given(line=st.sampled_from(SYNONYMS), data=st.data())
def test_denying_a_name_denies_all_its_synonyms(line: tuple[str, ...], data: st.DataObject) -> None:
    denied, other = data.draw(st.sampled_from(line)), data.draw(st.sampled_from(line))
    mark = data.draw(st.sampled_from(["", " ", "_", "-", "."]))
    spelled = data.draw(st.sampled_from([str.upper, str.title, str.lower]))(other).replace(" ", mark)
    assert DeniedAttributes([denied]).find_denied_match(spelled) == denied


@given(names=st.lists(st.text(max_size=12), max_size=8))
def test_denying_only_punctuation_denies_nothing(names: list[str]) -> None:
    assert [DeniedAttributes(["", "--", " "]).find_denied_match(name) for name in names] == [""] * len(names)
