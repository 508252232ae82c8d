"""Contradictions refuse, and what is denied stays denied by whatever name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.features.denied_attributes import SYNONYMS, DeniedAttributes
from recommender.features.specification import Feature, FeatureSpecification
from recommender.types import DataError


def make_specification(*features: Feature, never: tuple[str, ...] = ()) -> FeatureSpecification:
    return FeatureSpecification(features, never)


def test_features_are_asked_for_by_role_in_the_order_stated() -> None:
    brand, price = Feature("brand", "item", "categorical"), Feature("price", "item", "numeric")
    region = Feature("region", "user", "categorical", personal=True)
    stated = make_specification(brand, region, price)
    assert (
        stated.select_features("item"),
        stated.select_features("user"),
        stated.select_features("context"),
    ) == ((brand, price), (region,), ())


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Feature("Price", "item", "categorical"), "different kind: numeric and categorical"),
        (Feature("price", "context", "numeric"), "different role: item and context"),
        (Feature("prices", "item", "numeric", allowed=False), "different allowed"),
        (Feature("price", "item", "numeric"), "specified twice"),
    ],
)
def test_a_name_stated_twice_is_refused_with_what_differs(other: Feature, what: str) -> None:
    with pytest.raises(DataError, match=what):
        make_specification(Feature("price", "item", "numeric"), other)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "colour", "role": "item", "kind": "categorical", "personal": True}, "cannot be personal"),
        ({"name": "colour", "role": "shop", "kind": "categorical"}, "role 'shop'"),
        ({"name": "colour", "role": "item", "kind": "colour"}, "kind 'colour'"),
        ({"name": " _ ", "role": "item", "kind": "numeric"}, "holds no word"),
    ],
)
def test_a_feature_that_makes_no_sense_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        Feature(**wrong)


@pytest.mark.parametrize(
    ("never", "name"),
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
def test_a_denied_name_is_denied_in_every_spelling(never: str, name: str) -> None:
    with pytest.raises(DataError, match="is a denied attribute"):
        make_specification(Feature(name, "user", "categorical", personal=True), never=(never,))


@pytest.mark.parametrize(
    "name", ["page", "package", "grace", "essex", "trace_id", "brand", "stage", "average"]
)
def test_a_name_that_only_contains_the_letters_is_free(name: str) -> None:
    denied = DeniedAttributes(word for line in SYNONYMS for word in line)
    assert denied.find_denied_match(name) == ""


def test_what_is_denied_may_be_stated_as_not_allowed_and_is_no_feature() -> None:
    stated = make_specification(Feature("gender", "user", "categorical", allowed=False), never=("sex",))
    assert stated.select_features("user") == ()


@given(line=st.sampled_from(SYNONYMS), data=st.data())
def test_a_denial_of_one_name_is_a_denial_of_all_its_synonyms(
    line: tuple[str, ...], data: st.DataObject
) -> None:
    one, other = data.draw(st.sampled_from(line)), data.draw(st.sampled_from(line))
    mark = data.draw(st.sampled_from(["", " ", "_", "-", "."]))
    spelled = data.draw(st.sampled_from([str.upper, str.title, str.lower]))(other).replace(" ", mark)
    assert DeniedAttributes([one]).find_denied_match(spelled) == one


@given(names=st.lists(st.text(max_size=12), max_size=8))
def test_denying_nothing_but_signs_denies_nothing(names: list[str]) -> None:
    assert [DeniedAttributes(["", "--", " "]).find_denied_match(name) for name in names] == [""] * len(names)
