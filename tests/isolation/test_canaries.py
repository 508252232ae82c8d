"""The canary search finds planted words in every encoding and reports no others."""

from __future__ import annotations

import gzip
import secrets
import zlib

import pytest

from tests.isolation.canaries import SPELLINGS, Canaries, CanarySearch


@pytest.fixture
def words() -> list[str]:
    return Canaries().plant(20)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_every_word_is_detected(words: list[str], spelling: str) -> None:
    search = CanarySearch(words)
    for word in words:
        content = secrets.token_bytes(100) + SPELLINGS[spelling](word) + secrets.token_bytes(100)
        assert search([content]) == {word}


@pytest.mark.parametrize("offset", range(3))
def test_a_word_inside_a_longer_base64_text_is_detected(words: list[str], offset: int) -> None:
    import base64

    for word in words:
        content = base64.b64encode(b"x" * offset + word.encode() + b"and so on")
        assert CanarySearch(words)([content]) == {word}


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_compressed_words_are_detected(words: list[str], compress: object) -> None:
    text = " ".join(words).encode() * 5
    content = secrets.token_bytes(50) + compress(text) + secrets.token_bytes(50)  # type: ignore[operator]
    assert words[0].encode() not in content
    assert CanarySearch(words)([content]) == set(words)


def test_other_words_and_noise_are_ignored(words: list[str]) -> None:
    noise = secrets.token_bytes(1 << 20) + " ".join(Canaries().plant(100)).encode()
    assert CanarySearch(words)([noise]) == set()


def test_a_search_for_a_single_word_works(words: list[str]) -> None:
    assert CanarySearch(words[:1])([b".." + words[0].encode(), words[1].encode()]) == {words[0]}
