"""A writer to the database can destroy sealed values but cannot pass one off as another."""

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
from tests.isolation.sealed_rows import KEY_COLUMNS, SealedRow, load_sealed_rows, overwrite_body
from tests.proofs import Scale
from tests.restore.profiles import create_profiles

TwinTenants = tuple[TenantRef, TenantRef]
WORD = f"word{secrets.token_hex(8)}"
NAMES = [f"{WORD}-{number}" for number in range(6)]


@pytest.fixture
def superuser_connection(superuser: Callable[..., Any]) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = superuser("data_eu")
    return connection


@pytest.fixture
def twin_tenants(tenant: TenantRef, stranger_tenant: TenantRef, actor: Actor) -> Iterator[TwinTenants]:
    """Two tenants with the same items, profiles and reviews. Every text contains WORD."""
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
            pending = image_embeddings.list_pending(s, ENCODER_NAME)
            record_image_embeddings(s, ENCODER_NAME, pending, [WORD.encode()] * len(pending))
    yield tenant, stranger_tenant
    cache.stop_snapshot_cache()


def try_to_read(row: SealedRow, actor: Actor) -> str:
    try:
        with scope(row.tenant, actor=actor) as s:
            row.read(s)
    except Exception as error:
        if type(error) is not DecryptionFailed:
            return f"raised {type(error).__name__}"
        return "leaked a word" if WORD in f"{error!r} {error.__context__!r}" else "refused"
    return "opened"


def test_every_row_decrypts_in_its_own_place(
    twin_tenants: TwinTenants, superuser_connection: psycopg.Connection[Any], actor: Actor
) -> None:
    rows = [row for owner in twin_tenants for row in load_sealed_rows(superuser_connection, owner)]
    assert {row.table for row in rows} == set(KEY_COLUMNS)
    assert {try_to_read(row, actor) for row in rows} == {"opened"}


def iter_donors(
    rows: list[SealedRow], victim: SealedRow, rng: random.Random
) -> Iterator[tuple[str, SealedRow]]:
    """One row of each kind of other place, nearest first: near rows share most of the authenticated context."""
    same_table = [row for row in rows if row.table == victim.table and row is not victim]
    own_rows = [row for row in same_table if row.tenant == victim.tenant]
    kinds = {
        "the same profile": [row for row in own_rows if row.key[0] == victim.key[0]],
        "another row": own_rows,
        "another table": [row for row in rows if row.tenant == victim.tenant and row.table != victim.table],
        "another tenant": [row for row in same_table if row.tenant != victim.tenant],
    }
    for kind, candidates in kinds.items():
        if candidates:
            yield kind, rng.choice(candidates)


@pytest.mark.proof(row=8)
@pytest.mark.timeout(900)
def test_a_value_from_any_other_row_table_or_tenant_is_refused(
    twin_tenants: TwinTenants,
    superuser_connection: psycopg.Connection[Any],
    actor: Actor,
    scale: Scale,
    figure: Callable[..., bool],
) -> None:
    rows = [row for owner in twin_tenants for row in load_sealed_rows(superuser_connection, owner)]
    rng, count = random.Random(5), scale(140, 10_000)
    outcomes, kinds = Counter[str](), Counter[str]()
    for number in range(count):
        table = list(KEY_COLUMNS)[number % len(KEY_COLUMNS)]
        victim = rng.choice([row for row in rows if row.table == table])
        kind, donor = rng.choice(list(iter_donors(rows, victim, rng)))
        overwrite_body(superuser_connection, victim, donor.body)
        outcomes[try_to_read(victim, actor)] += 1
        overwrite_body(superuser_connection, victim, victim.body)
        kinds[kind] += 1
    n_accepted = count - outcomes["refused"]
    assert len(kinds) == 4, kinds
    assert figure("stored values swapped and not refused", n_accepted, of=count, passes=n_accepted == 0), (
        outcomes
    )
    assert {try_to_read(row, actor) for row in rows} == {"opened"}


def pick_row(
    superuser_connection: psycopg.Connection[Any], tenant: TenantRef, table: str, key: bytes | None = None
) -> SealedRow:
    rows = [row for row in load_sealed_rows(superuser_connection, tenant) if row.table == table]
    return min((row for row in rows if key in (None, row.key[0])), key=lambda row: row.key)


API_CALLS: dict[str, Callable[[Any], Any]] = {
    "data_item": lambda api: api.get("/api/v1/items/mug"),
    "data_itemimage": lambda api: api.get("/api/v1/items/mug/image"),
    "data_profile": lambda api: api.get(f"/api/v1/profiles/{NAMES[0]}"),
    "data_review": lambda api: api.get("/api/v1/items/mug/reviews"),
    "data_seenitems": lambda api: api.post("/api/v1/recommendations", {"profile_id": NAMES[0]}),
    "data_timeline": lambda api: api.post("/api/v1/recommendations", {"profile_id": NAMES[0]}),
}


@pytest.mark.parametrize("table", API_CALLS)
@pytest.mark.parametrize("donor_table", ["data_profile", "data_review", "data_timeline"])
def test_the_api_returns_500_without_foreign_text_for_a_swapped_row(
    twin_tenants: TwinTenants,
    api: Callable[..., Any],
    superuser_connection: psycopg.Connection[Any],
    table: str,
    donor_table: str,
) -> None:
    own_tenant, foreign_tenant = twin_tenants
    client, call = api(own_tenant), API_CALLS[table]
    profile_key = (
        get_keyring(own_tenant).derive_pseudonym("uid", NAMES[0])
        if table in ("data_profile", "data_seenitems", "data_timeline")
        else None
    )
    before = call(client)
    victim = pick_row(superuser_connection, own_tenant, table, profile_key)  # the oldest item is the mug
    overwrite_body(
        superuser_connection, victim, pick_row(superuser_connection, foreign_tenant, donor_table).body
    )
    swapped = call(client)
    overwrite_body(superuser_connection, victim, victim.body)
    assert before.status_code == 200
    assert (swapped.status_code, swapped.json()["code"]) == (500, "internal_error")
    assert WORD.encode() not in swapped.content


def test_a_stored_response_of_another_idempotency_key_is_not_returned(
    twin_tenants: TwinTenants, api: Callable[..., Any], superuser_connection: psycopg.Connection[Any]
) -> None:
    client, body = api(twin_tenants[0]), {"items": [{"id": "cup", "title": WORD}]}
    for key in ("first-key-of-two", "second-key-of-two"):
        client.post("/api/v1/items/batch", body, headers={"Idempotency-Key": key})
    swapped = superuser_connection.execute(
        "UPDATE data_idempotency target SET body = donor.body FROM data_idempotency donor "
        "WHERE target.tenant_id = %(t)s AND donor.tenant_id = %(t)s AND target.key_digest <> donor.key_digest",
        {"t": twin_tenants[0].id},
    )
    repeated = client.post("/api/v1/items/batch", body, headers={"Idempotency-Key": "first-key-of-two"})
    assert swapped.rowcount == 2
    assert (repeated.status_code, repeated.json()["code"]) == (500, "internal_error")
