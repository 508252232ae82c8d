"""The search finds what it is there for; a search that cannot find proves nothing."""

from __future__ import annotations

import gzip
import secrets
import zlib

import pytest

from tests.isolation.canaries import SPELLINGS, Canaries, Search


@pytest.fixture
def words() -> list[str]:
    return Canaries().plant(20)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_word_is_found_in_every_spelling_amid_other_bytes(words: list[str], spelling: str) -> None:
    search = Search(words)
    for word in words:
        content = secrets.token_bytes(100) + SPELLINGS[spelling](word) + secrets.token_bytes(100)
        assert search([content]) == {word}


@pytest.mark.parametrize("before", range(3))
def test_a_word_inside_a_longer_base64_text_is_found(words: list[str], before: int) -> None:
    import base64

    for word in words:
        content = base64.b64encode(b"x" * before + word.encode() + b"and so on")
        assert Search(words)([content]) == {word}


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_compressed_words_are_found(words: list[str], compress: object) -> None:
    text = " ".join(words).encode() * 5
    content = secrets.token_bytes(50) + compress(text) + secrets.token_bytes(50)  # type: ignore[operator]
    assert words[0].encode() not in content
    assert Search(words)([content]) == set(words)


def test_other_words_and_noise_are_not_found(words: list[str]) -> None:
    noise = secrets.token_bytes(1 << 20) + " ".join(Canaries().plant(100)).encode()
    assert Search(words)([noise]) == set()


def test_one_word_alone_is_searched_for_too(words: list[str]) -> None:
    assert Search(words[:1])([b".." + words[0].encode(), words[1].encode()]) == {words[0]}
