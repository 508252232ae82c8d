"""A stolen disk or dump holds nothing that a tenant sent."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recommender.serving import RecommendRequest, recommend, spaces
from recommender.training.work import work
from tenants.data.actions import catalog, images, profiles
from tenants.data.actions.events import record_events
from tenants.data.actions.reviews import record_reviews
from tenants.data.types import EventInput, ItemInput, ProfileInput, ReviewInput
from tenants.scope import scope
from tests.conftest import HOME
from tests.training.spaces import order_training

PLANES = ["default", *(f"{plane}_{code}" for plane in ("data", "keys") for code in ("cn", "eu", "us"))]
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'app')
"""


def canary() -> str:
    return f"canary{secrets.token_hex(12)}"


@pytest.fixture
def planted(tenant, actor) -> list[str]:
    """A hundred words in every place where a client's words go, also in a trained model and a receipt."""
    words = [canary() for _ in range(100)]
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
    said = [
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
        record_reviews(s, said)
        images.set_image(s, items[0].id, b"\x89PNG\r\n\x1a\n" + words[0].encode(), "image/png")
    work(tenant, order_training(tenant, actor), owner="w1", actor=actor)
    spaces.spaces().refresh_now(tenant)
    assert recommend(tenant, RecommendRequest(profile_id=words[70], reasons=True), actor=actor).items
    spaces.stop()
    return words


def spelled(word: str) -> list[bytes]:
    """The word as it might lie somewhere: text, wide text, hexadecimal, base64."""
    plain = word.encode()
    return [plain, word.encode("utf-16-le"), plain.hex().encode(), base64.b64encode(plain)[:20]]


def found(words: list[str], contents: Iterator[bytes]) -> set[str]:
    spellings = [(word, spelling) for word in words for spelling in spelled(word)]
    return {word for content in contents for word, spelling in spellings if spelling in content}


def dumps(superuser) -> Iterator[bytes]:
    """Every table of every database, decompressed, as a backup would hold it."""
    for alias in PLANES:
        connection = superuser(alias)
        for (table,) in connection.execute(TABLES).fetchall():
            with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
                yield b"".join(bytes(part) for part in rows)


def files(superuser) -> Iterator[bytes]:
    """Every file of the installation: tables, write-ahead log, Valkey, object store, logs."""
    superuser("default").execute("CHECKPOINT")
    for path in sorted(Path(HOME.path).rglob("*")):
        if path.is_file() and "binaries" not in path.parts:
            yield path.read_bytes()


def test_a_dump_of_every_database_holds_no_canary(planted, superuser):
    assert found(planted, dumps(superuser)) == set()


def test_the_state_folder_holds_no_canary(planted, superuser):
    assert found(planted, files(superuser)) == set()


def test_a_word_that_is_stored_in_clear_is_found_in_both(make_tenant, superuser):
    word = canary()
    make_tenant(name=word)
    assert found([word], dumps(superuser)) == {word}
    assert found([word], files(superuser)) == {word}
