"""A stolen disk or dump contains no text that a tenant sent.

Names of event kinds and scenarios are not searched for: they are settings, like the name of a tenant.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from lepton_platform.embedded.services import EmbeddedServices
from lepton_platform.embedded.valkey import ValkeyServer
from recommender.serving.recommend import recommend
from recommender.serving.snapshot import cache
from recommender.serving.types import RecommendRequest
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, images, profiles
from tenants.data.actions.events import record_events
from tenants.data.actions.reviews import record_reviews
from tenants.data.media.images import EncodedImage
from tenants.data.types import EventInput, ItemInput, ProfileInput, ReviewInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.isolation.canaries import Canaries, CanarySearch
from tests.isolation.stores import Stores
from tests.proofs import Scale
from tests.training.tenants import request_training

WORDS_PER_BATCH = 100


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def stores(services: EmbeddedServices, database: None) -> Stores:
    assert services.postgres is not None
    secrets = json.loads(services.home.secrets_file.read_text())
    return Stores(services.home.path, binaries=services.postgres.binaries, secrets=secrets)


def store_words(tenant: TenantRef, words: list[str], actor: Actor) -> None:
    """Stores a batch of words in every text field that a client can write."""
    items = []
    for start in range(0, 70, 7):
        item_id, title, description, category, tag, brand, colour = words[start : start + 7]
        items.append(
            ItemInput(
                id=item_id,
                title=title,
                description=description,
                categories=[category],
                tags=[tag],
                brand=brand,
                attributes={"colour": colour},
            )
        )
    at = datetime.now(UTC) - timedelta(hours=1)
    profile_inputs = [
        ProfileInput(id=profile_id, attributes={"town": town})
        for profile_id, town in zip(words[70:75], words[75:80], strict=True)
    ]
    events = [
        EventInput(item_id=items[n].id, kind="view", profile_id=words[70 + n % 5], id=words[80 + n], at=at)
        for n in range(10)
    ]
    review_inputs = [
        ReviewInput(
            item_id=items[n].id,
            profile_id=words[70],
            id=words[90 + n],
            text=words[95 + n],
            title=words[90 + n],
        )
        for n in range(5)
    ]
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, items)
        profiles.upsert_profiles(s, profile_inputs)
        record_events(s, events)
        record_reviews(s, review_inputs)
        images.set_image(s, items[0].id, EncodedImage(words[0].encode(), "image/png"))


@pytest.fixture
def planted_words(
    tenant: TenantRef, actor: Actor, canaries: Canaries, scale: Scale, api: Callable[..., Any]
) -> list[str]:
    """Words in rows, a trained model, receipts, a stored response and refused requests."""
    words = canaries.plant(scale(100, 500))
    for start in range(0, len(words), WORDS_PER_BATCH):
        store_words(tenant, words[start : start + WORDS_PER_BATCH], actor)
    run_training_job(tenant, request_training(tenant, actor), owner="w1", actor=actor)
    cache.get_snapshot_cache().refresh_now(tenant)
    assert recommend(tenant, RecommendRequest(profile_id=words[70], reasons=True), actor=actor).items
    cache.stop_snapshot_cache()
    client = api(tenant)
    headers = {"Idempotency-Key": "the-key-of-a-stored-answer"}
    partly_invalid = {"items": [{"id": words[0]}, {"id": words[1], "price": words[2]}]}
    assert len(client.post("/api/v1/items/batch", partly_invalid, headers=headers).json()["rejected"]) == 1
    assert client.post("/api/v1/events", {"events": [{words[2]: words[3]}]}).status_code == 422
    assert client.get(f"/api/v1/items/no {words[4]}").status_code == 404
    return words


@dataclass(frozen=True, slots=True)
class ControlWords:
    """Words stored as plain text, which the search must find: a tenant's name, a Valkey key and three files."""

    tenant_name: str
    valkey_key: str
    object_file: str
    gzip_file: str
    log_file: str


@pytest.fixture
def control_words(
    stores: Stores, services: EmbeddedServices, canaries: Canaries, make_tenant: Callable[..., TenantRef]
) -> Iterator[ControlWords]:
    words = ControlWords(*canaries.plant(5))
    files = {
        "objects/planted": words.object_file.encode(),
        "exports-planted.gz": gzip.compress(words.gzip_file.encode() * 9),
        "logs/planted.log": json.dumps(words.log_file).encode(),
    }
    for name, content in files.items():
        (stores.home / name).parent.mkdir(exist_ok=True)
        (stores.home / name).write_bytes(content)
    tenant = make_tenant(name=words.tenant_name)
    stores.execute_sql("CHECKPOINT")
    stores.execute_sql(f"UPDATE control_tenant SET name = name WHERE id = '{tenant.id}'")
    assert isinstance(services.valkey, ValkeyServer)
    with redis.Redis.from_url(services.valkey.build_url(3)) as server:
        server.hset("planted", words.valkey_key, "x")
        time.sleep(1.5)  # its file is written once a second
        yield words
        server.flushdb()
    for name in files:
        (stores.home / name).unlink()


@pytest.mark.proof(row=7)
@pytest.mark.timeout(900)
def test_no_store_contains_a_planted_word_and_every_control_word_is_detected(
    stores: Stores, request: pytest.FixtureRequest, figure: Callable[..., bool]
) -> None:
    since = stores.get_wal_position()
    control_words: ControlWords = request.getfixturevalue("control_words")
    planted_words: list[str] = request.getfixturevalue("planted_words")
    search = CanarySearch([*planted_words, *asdict(control_words).values()])
    expected: dict[str, tuple[Iterable[bytes], set[str]]] = {
        "dumps of all databases": (stores.iter_dumps(), {control_words.tenant_name}),
        "files of the installation": (stores.iter_files(), set(asdict(control_words).values())),
        "files of Valkey": (stores.iter_folder("valkey"), {control_words.valkey_key}),
        "memory of Valkey": (stores.iter_valkey_entries(), {control_words.valkey_key}),
        "pages in the write-ahead log": (stores.iter_wal_pages(since), {control_words.tenant_name}),
    }
    for name, (contents, expected_words) in expected.items():
        matches = search(contents)
        hits = matches - expected_words
        assert figure(f"planted words in {name}", len(hits), of=len(planted_words), passes=not hits), hits
        assert matches == expected_words, f"the control in {name}"
