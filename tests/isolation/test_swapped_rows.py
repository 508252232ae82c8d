"""Whoever writes into the database can destroy, but cannot make one row pass for another."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from recommender.features.images import ENCODER_NAME
from recommender.serving.snapshot import cache
from tenants.data.actions import catalog, images
from tenants.data.actions.image_embeddings import record_image_embeddings
from tenants.data.actions.knowledge import record_triples, replace_rules
from tenants.data.media.images import EncodedImage
from tenants.data.queries import image_embeddings
from tenants.data.types import ItemInput, RuleInput, TripleInput
from tenants.errors import DecryptionFailed
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.isolation.sealed_rows import KEY_COLUMNS, Sealed, put, sealed_rows
from tests.proofs import Scale
from tests.restore.profiles import create_profiles

Tenants = tuple[TenantRef, TenantRef]
WORD = f"word{secrets.token_hex(8)}"
NAMES = [f"{WORD}-{number}" for number in range(6)]


@pytest.fixture
def behind(superuser: Callable[..., Any]) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = superuser("data_eu")
    return connection


@pytest.fixture
def mirrored(tenant: TenantRef, stranger_tenant: TenantRef, actor: Actor) -> Iterator[Tenants]:
    """The same items, profiles and reviews in two tenants; in each word stands what nobody else may read."""
    for owner in (tenant, stranger_tenant):
        create_profiles(owner, NAMES, actor)
        with scope(owner, actor=actor) as s:
            catalog.upsert_items(s, [ItemInput(id=f"cup-{number}", title=WORD) for number in range(4)])
            for item in ("mug", "cup-0"):
                images.set_image(s, item, EncodedImage(WORD.encode(), "image/png"))
            gift = {"tags": {"eq": WORD}}
            replace_rules(s, [RuleInput(id=f"rule {number}", items=gift) for number in range(2)])
            record_triples(
                s, [TripleInput(head="mug", relation="like", tail=f"{WORD} {n}") for n in range(2)]
            )
            seen = image_embeddings.list_pending(s, ENCODER_NAME)
            record_image_embeddings(s, ENCODER_NAME, seen, [WORD.encode()] * len(seen))
    yield tenant, stranger_tenant
    cache.stop_snapshot_cache()


def outcome(row: Sealed, actor: Actor) -> str:
    try:
        with scope(row.tenant, actor=actor) as s:
            row.read(s)
    except Exception as error:
        if type(error) is not DecryptionFailed:
            return f"raised {type(error).__name__}"
        return "told a word" if WORD in f"{error!r} {error.__context__!r}" else "refused"
    return "opened"


def test_every_row_opens_where_it_belongs(
    mirrored: Tenants, behind: psycopg.Connection[Any], actor: Actor
) -> None:
    rows = [row for owner in mirrored for row in sealed_rows(behind, owner)]
    assert {row.table for row in rows} == set(KEY_COLUMNS)
    assert {outcome(row, actor) for row in rows} == {"opened"}


def donors(rows: list[Sealed], victim: Sealed, draw: random.Random) -> Iterator[tuple[str, Sealed]]:
    """One value of each kind of elsewhere, the nearest first: near ones differ least in what is bound."""
    same_table = [row for row in rows if row.table == victim.table and row is not victim]
    own_rows = [row for row in same_table if row.tenant == victim.tenant]
    kinds = {
        "the same profile": [row for row in own_rows if row.key[0] == victim.key[0]],
        "another row": own_rows,
        "another table": [row for row in rows if row.tenant == victim.tenant and row.table != victim.table],
        "another tenant": [row for row in same_table if row.tenant != victim.tenant],
    }
    yield from ((kind, draw.choice(candidates)) for kind, candidates in kinds.items() if candidates)


@pytest.mark.proof(row=8)
@pytest.mark.timeout(900)
def test_a_value_from_any_other_row_table_or_tenant_is_refused(
    mirrored: Tenants,
    behind: psycopg.Connection[Any],
    actor: Actor,
    scale: Scale,
    figure: Callable[..., bool],
) -> None:
    rows = [row for owner in mirrored for row in sealed_rows(behind, owner)]
    draw, count, seen, kinds = random.Random(5), scale(140, 10_000), Counter[str](), Counter[str]()
    for number in range(count):
        table = list(KEY_COLUMNS)[number % len(KEY_COLUMNS)]
        victim = draw.choice([row for row in rows if row.table == table])
        kind, donor = draw.choice(list(donors(rows, victim, draw)))
        put(behind, victim, donor.body)
        seen[outcome(victim, actor)] += 1
        put(behind, victim, victim.body)
        kinds[kind] += 1
    bad = count - seen["refused"]
    assert len(kinds) == 4, kinds
    assert figure("stored values swapped and not refused", bad, of=count, passes=bad == 0), seen
    assert {outcome(row, actor) for row in rows} == {"opened"}


def one_of(behind: psycopg.Connection[Any], of: TenantRef, table: str, key: bytes | None = None) -> Sealed:
    rows = [row for row in sealed_rows(behind, of) if row.table == table]
    return min((row for row in rows if key in (None, row.key[0])), key=lambda row: row.key)


CALLS: dict[str, Callable[[Any], Any]] = {
    "data_item": lambda api: api.get("/api/v1/items/mug"),
    "data_itemimage": lambda api: api.get("/api/v1/items/mug/image"),
    "data_profile": lambda api: api.get(f"/api/v1/profiles/{NAMES[0]}"),
    "data_review": lambda api: api.get("/api/v1/items/mug/reviews"),
    "data_seenitems": lambda api: api.post("/api/v1/recommendations", {"profile_id": NAMES[0]}),
    "data_timeline": lambda api: api.post("/api/v1/recommendations", {"profile_id": NAMES[0]}),
}


@pytest.mark.parametrize("table", CALLS)
@pytest.mark.parametrize("donor_table", ["data_profile", "data_review", "data_timeline"])
def test_the_api_answers_500_and_not_the_other_tenants_words(
    mirrored: Tenants, api: Callable[..., Any], behind: psycopg.Connection[Any], table: str, donor_table: str
) -> None:
    own_rows, foreign_rows = mirrored
    client, call = api(own_rows), CALLS[table]
    message = (
        get_keyring(own_rows).derive_pseudonym("uid", NAMES[0])
        if table in ("data_profile", "data_seenitems", "data_timeline")
        else None
    )
    before = call(client)
    victim = one_of(behind, own_rows, table, message)  # the oldest item is the mug
    put(behind, victim, one_of(behind, foreign_rows, donor_table).body)
    swapped = call(client)
    put(behind, victim, victim.body)
    assert before.status_code == 200
    assert (swapped.status_code, swapped.json()["code"]) == (500, "internal_error")
    assert WORD.encode() not in swapped.content


def test_a_stored_answer_of_another_key_is_not_given(
    mirrored: Tenants, api: Callable[..., Any], behind: psycopg.Connection[Any]
) -> None:
    client, body = api(mirrored[0]), {"items": [{"id": "cup", "title": WORD}]}
    for key in ("first-key-of-two", "second-key-of-two"):
        client.post("/api/v1/items/batch", body, headers={"Idempotency-Key": key})
    swapped = behind.execute(
        "UPDATE data_idempotency mine SET body = other.body FROM data_idempotency other "
        "WHERE mine.tenant_id = %(t)s AND other.tenant_id = %(t)s AND mine.key_digest <> other.key_digest",
        {"t": mirrored[0].id},
    )
    repeated = client.post("/api/v1/items/batch", body, headers={"Idempotency-Key": "first-key-of-two"})
    assert swapped.rowcount == 2
    assert (repeated.status_code, repeated.json()["code"]) == (500, "internal_error")
