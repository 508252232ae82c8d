"""A denied attribute never reaches a feature matrix, whatever its spelling and whatever the tenant's settings."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from recommender.features.encoders import FeatureEncoder, FeatureMatrix
from recommender.features.specification import FeatureRole
from recommender.tenant_data import attribute_features
from recommender.tenant_data.attribute_features import FeatureData
from tenants.data.actions import catalog, profiles, tenant_settings
from tenants.data.presets import PRIVACY_PRESETS, list_denied_attributes
from tenants.data.queries import tenant_state
from tenants.data.types import ItemInput, ProfileInput
from tenants.errors import Invalid
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

OTHER_SPELLINGS = {
    "gender": "Sex",
    "marital": "maritalStatus",
    "postcode": "ZIP code",
    "health": "health_claims",
}


@pytest.fixture
def finance_tenant(make_tenant: Callable[..., TenantRef], actor: Actor) -> TenantRef:
    """Items and profiles with every attribute that finance denies, under its own name and under other spellings."""
    tenant = make_tenant(vertical="finance")
    denied = {
        name: f"{name} value"
        for name in (*PRIVACY_PRESETS["finance"].denied_attributes, *OTHER_SPELLINGS.values())
    }
    with scope(tenant, actor=actor) as s:
        for row in ("a", "b", "c"):
            attributes = {
                **denied,
                "Branch": f"branch {row}",
                "balance": 12.5,
                "interests": ["saving", "sex:female"],
            }
            catalog.upsert_items(
                s, [ItemInput(id=row, price=3.0, tags=["new", "gender=male"], attributes=attributes)]
            )
            profiles.upsert_profiles(s, [ProfileInput(id=row, consent="granted", attributes=attributes)])
    return tenant


def encode_features(features: FeatureData, role: FeatureRole) -> FeatureMatrix:
    size = len(next(iter(features.table.values())))
    rows = np.arange(size, dtype=np.int64)
    return FeatureEncoder.fit(features.specification, role, features.table, rows).transform(features.table)


def load_both_features(tenant: TenantRef, actor: Actor) -> tuple[FeatureData, FeatureData]:
    return attribute_features.load_item_features(tenant, actor=actor), attribute_features.load_user_features(
        tenant, actor=actor
    )


def test_denied_attributes_never_reach_a_feature_matrix(finance_tenant: TenantRef, actor: Actor) -> None:
    items, users = load_both_features(finance_tenant, actor)
    assert set(encode_features(items, "item").origins) == {"price", "tags", "Branch", "balance", "interests"}
    assert set(encode_features(users, "user").origins) == {"Branch", "balance", "interests"}
    assert {*OTHER_SPELLINGS.values(), *PRIVACY_PRESETS["finance"].denied_attributes} <= set(
        items.denied_names
    ) & set(users.denied_names)
    texts = [
        *encode_features(items, "item").names,
        *encode_features(users, "user").names,
        repr(items.table),
        repr(users.table),
    ]
    assert [text for text in texts if "male" in text or "gender" in text or "ZIP" in text] == []


def test_a_tenant_cannot_allow_attributes_denied_by_its_vertical(
    finance_tenant: TenantRef, actor: Actor
) -> None:
    with scope(finance_tenant, actor=actor) as s:
        looser = msgspec.structs.replace(tenant_state.get_state(s).privacy, denied_attributes=["balance"])
        with pytest.raises(Invalid) as refused:
            tenant_settings.update_privacy(s, looser)
    assert refused.value.errors[0].pointer == "/denied_attributes"


def test_settings_loosened_in_the_database_deny_no_less(finance_tenant: TenantRef, actor: Actor) -> None:
    before = load_both_features(finance_tenant, actor)
    with scope(finance_tenant, actor=actor) as s:
        loose = msgspec.structs.replace(tenant_state.get_state(s).privacy, denied_attributes=[])
        s.cursor().execute(
            "UPDATE data_tenantstate SET privacy = %s::jsonb WHERE tenant_id = %s",
            (msgspec.json.encode(loose).decode(), s.tenant_id),
        )
    with scope(finance_tenant, actor=actor) as s:
        assert tenant_state.get_state(s).privacy.denied_attributes == []
    assert load_both_features(finance_tenant, actor) == before


def test_attributes_denied_by_the_tenant_are_denied_too(finance_tenant: TenantRef, actor: Actor) -> None:
    with scope(finance_tenant, actor=actor) as s:
        settings = tenant_state.get_state(s).privacy
        stricter = [*settings.denied_attributes, "balances"]
        tenant_settings.update_privacy(s, msgspec.structs.replace(settings, denied_attributes=stricter))
    items, users = load_both_features(finance_tenant, actor)
    assert "balance" not in {*items.table, *users.table}
    assert "balance" in items.denied_names


def test_only_consenting_profiles_have_features(finance_tenant: TenantRef, actor: Actor) -> None:
    with scope(finance_tenant, actor=actor) as s:
        profiles.upsert_profiles(
            s, [ProfileInput(id="b", consent="refused", attributes={"Branch": "branch b"})]
        )
    _items, users = load_both_features(finance_tenant, actor)
    assert sorted(map(str, users.table["Branch"])) == ["branch a", "branch c"]


def test_without_personalisation_there_are_no_user_features(finance_tenant: TenantRef, actor: Actor) -> None:
    with scope(finance_tenant, actor=actor) as s:
        settings = tenant_state.get_state(s).privacy
        tenant_settings.update_privacy(s, msgspec.structs.replace(settings, personalisation="off"))
    assert load_both_features(finance_tenant, actor)[1].table == {}


def test_items_are_ordered_by_number_without_retired_ones(finance_tenant: TenantRef, actor: Actor) -> None:
    with scope(finance_tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="a", brand="Nord", attributes={"price": "free", "Brand": "x"})])
        catalog.retire_item(s, "b")
    features = attribute_features.load_item_features(finance_tenant, actor=actor)
    assert features.table["price"] == [None, 3.0]
    assert features.table["brand"] == ["Nord", None]
    assert "Brand" not in features.table
    assert "free" not in repr(features.table)


@pytest.mark.parametrize("vertical", list(PRIVACY_PRESETS))
def test_settings_never_shorten_the_denied_list_of_a_vertical(vertical: str) -> None:
    preset = PRIVACY_PRESETS[vertical]
    empty = msgspec.structs.replace(preset, denied_attributes=[])
    assert list_denied_attributes(vertical, empty) == tuple(preset.denied_attributes)
