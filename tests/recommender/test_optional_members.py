"""Members that are fitted only where somebody asks for them."""

from __future__ import annotations

import pytest

from recommender.algorithms.ensemble import SERVED
from recommender.evaluation.profiles import OPTIONAL_MEMBERS, Profile, new_members
from recommender.types import silent


@pytest.mark.parametrize("name", list(OPTIONAL_MEMBERS))
def test_an_optional_member_makes_what_can_be_served_under_its_name(name: str) -> None:
    made = new_members("full", silent, [name])[name]()
    assert made.name == name
    assert SERVED[name].config_type is made.config_type


@pytest.mark.parametrize("profile", ["fast", "full"])
def test_no_profile_pays_for_an_optional_member(profile: Profile) -> None:
    assert not set(new_members(profile, silent)) & set(OPTIONAL_MEMBERS)
