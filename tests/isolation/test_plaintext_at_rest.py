"""A stolen disk or dump holds nothing that a tenant sent.

Names of event kinds and scenarios are not searched for: they are settings, as a tenant's own name is.
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
from tests.isolation.canaries import Canaries, Search
from tests.isolation.stores import Stores
from tests.proofs import Scale
from tests.training.tenants import request_training

A_HUNDRED = 100


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def stores(services: EmbeddedServices, database: None) -> Stores:
    assert services.postgres is not None
    secrets = json.loads(services.home.secrets_file.read_text())
    return Stores(services.home.path, binaries=services.postgres.binaries, secrets=secrets)


def plant_hundred(tenant: TenantRef, words: list[str], actor: Actor) -> None:
    """In every place where a client's words go."""
    items = [
        ItemInput(id=i, title=t, description=d, categories=[c], tags=[g], brand=b, attributes={"colour": a})
        for i, t, d, c, g, b, a in (words[n : n + 7] for n in range(0, 70, 7))
    ]
    at = datetime.now(UTC) - timedelta(hours=1)
    people = [
        ProfileInput(id=p, attributes={"town": a}) for p, a in zip(words[70:75], words[75:80], strict=True)
    ]
    seen = [
        EventInput(item_id=items[n].id, kind="view", profile_id=words[70 + n % 5], id=words[80 + n], at=at)
        for n in range(10)
    ]
    texts = [
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
        profiles.upsert_profiles(s, people)
        record_events(s, seen)
        record_reviews(s, texts)
        images.set_image(s, items[0].id, EncodedImage(words[0].encode(), "image/png"))


@pytest.fixture
def planted(
    tenant: TenantRef, actor: Actor, canaries: Canaries, scale: Scale, api: Callable[..., Any]
) -> list[str]:
    """Also in a trained model, in receipts, in a stored answer and in refused calls."""
    words = canaries.plant(scale(100, 500))
    for start in range(0, len(words), A_HUNDRED):
        plant_hundred(tenant, words[start : start + A_HUNDRED], actor)
    run_training_job(tenant, request_training(tenant, actor), owner="w1", actor=actor)
    cache.get_snapshot_cache().refresh_now(tenant)
    assert recommend(tenant, RecommendRequest(profile_id=words[70], reasons=True), actor=actor).items
    cache.stop_snapshot_cache()
    client = api(tenant)
    headers = {"Idempotency-Key": "the-key-of-a-stored-answer"}
    mixed = {"items": [{"id": words[0]}, {"id": words[1], "price": words[2]}]}
    assert len(client.post("/api/v1/items/batch", mixed, headers=headers).json()["rejected"]) == 1
    assert client.post("/api/v1/events", {"events": [{words[2]: words[3]}]}).status_code == 422
    assert client.get(f"/api/v1/items/no {words[4]}").status_code == 404
    return words


@dataclass(frozen=True, slots=True)
class Clear:
    """Words that lie in clear: in a tenant's name, in Valkey, and in files of three kinds."""

    named: str
    cached: str
    model: str
    packed: str
    logged: str


@pytest.fixture
def clear(
    stores: Stores, services: EmbeddedServices, canaries: Canaries, make_tenant: Callable[..., TenantRef]
) -> Iterator[Clear]:
    words = Clear(*canaries.plant(5))
    files = {
        "objects/planted": words.model.encode(),
        "exports-planted.gz": gzip.compress(words.packed.encode() * 9),
        "logs/planted.log": json.dumps(words.logged).encode(),
    }
    for name, content in files.items():
        (stores.home / name).parent.mkdir(exist_ok=True)
        (stores.home / name).write_bytes(content)
    tenant = make_tenant(name=words.named)
    stores.sql("CHECKPOINT")
    stores.sql(f"UPDATE control_tenant SET name = name WHERE id = '{tenant.id}'")
    assert isinstance(services.valkey, ValkeyServer)
    with redis.Redis.from_url(services.valkey.build_url(3)) as server:
        server.hset("planted", words.cached, "x")
        time.sleep(1.5)  # its file is written once a second
        yield words
        server.flushdb()
    for name in files:
        (stores.home / name).unlink()


@pytest.mark.proof(row=7)
@pytest.mark.timeout(900)
def test_nothing_at_rest_holds_a_planted_word_and_clear_ones_are_found_in_each_kind_of_store(
    stores: Stores, request: pytest.FixtureRequest, figure: Callable[..., bool]
) -> None:
    since = stores.position()
    clear: Clear = request.getfixturevalue("clear")
    planted: list[str] = request.getfixturevalue("planted")
    search = Search([*planted, *asdict(clear).values()])
    expected: dict[str, tuple[Iterable[bytes], set[str]]] = {
        "dumps of all databases": (stores.dumps(), {clear.named}),
        "files of the installation": (stores.files(), set(asdict(clear).values())),
        "files of Valkey": (stores.folder("valkey"), {clear.cached}),
        "memory of Valkey": (stores.valkey(), {clear.cached}),
        "pages in the write-ahead log": (stores.pages(since), {clear.named}),
    }
    for name, (contents, lying_there) in expected.items():
        matches = search(contents)
        hits = matches - lying_there
        assert figure(f"planted words in {name}", len(hits), of=len(planted), passes=not hits), hits
        assert matches == lying_there, f"the control in {name}"
