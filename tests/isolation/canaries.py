"""Random words that occur only where a test plants them, and a search for them in every usual encoding."""

from __future__ import annotations

import base64
import json
import re
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

_MAX_COMPRESSED_BYTES, _CHUNK_BYTES = 16 << 20, 1 << 12
_MIN_WORD_BYTES = 16  # less than the length of any word
_STREAM_HEADER = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_HAN_START = 0x4E00
_HAN_COUNT = 20_000


def _escape_unicode(word: str) -> bytes:
    return "".join(f"\\u{ord(letter):04x}" for letter in word).encode()


def _make_base64_spelling(offset: int) -> Callable[[str], bytes]:
    """Encodes a word that follows `offset` bytes. Keeps the letters that do not depend on the neighbouring bytes."""

    def encode_word(word: str) -> bytes:
        raw = b"\0" * offset + word.encode()
        encoded = base64.b64encode(raw).rstrip(b"=")
        return encoded[(0, 2, 3)[offset] : len(raw) * 8 // 6]

    return encode_word


SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "text": str.encode,
    "upper case": lambda word: word.upper().encode(),
    "UTF-16 little": lambda word: word.encode("utf-16-le"),
    "UTF-16 big": lambda word: word.encode("utf-16-be"),
    "UTF-32": lambda word: word.encode("utf-32-le"),
    "GB 18030": lambda word: word.encode("gb18030"),
    "hexadecimal": lambda word: word.encode().hex().encode(),
    "hexadecimal, upper case": lambda word: word.encode().hex().upper().encode(),
    "hexadecimal of UTF-16": lambda word: word.encode("utf-16-le").hex().encode(),
    "base64": _make_base64_spelling(0),
    "base64, one byte in": _make_base64_spelling(1),
    "base64, two bytes in": _make_base64_spelling(2),
    "JSON escapes": lambda word: json.dumps(word)[1:-1].encode(),
    "unicode escapes": _escape_unicode,
    "unicode escapes, upper case": lambda word: _escape_unicode(word).upper().replace(b"\\U", b"\\u"),
    "percent escapes": lambda word: quote(word).encode(),
    "octal escapes": lambda word: "".join(f"\\{byte:03o}" for byte in word.encode()).encode(),
}


class Canaries:
    """Half of the words are ASCII, half are Chinese. Words of one alphabet share a prefix and a length."""

    def __init__(self) -> None:
        self._latin, self._chinese = f"canary{secrets.token_hex(4)}", _generate_han(4)

    def plant(self, count: int) -> list[str]:
        """Returns new words, in alternating alphabets."""
        return [
            self._latin + secrets.token_hex(8) if number % 2 else self._chinese + _generate_han(6)
            for number in range(count)
        ]


def _generate_han(count: int) -> str:
    return "".join(chr(_HAN_START + secrets.randbelow(_HAN_COUNT)) for _ in range(count))


class CanarySearch:
    """`search(contents)` returns the planted words in the contents, also those inside gzip and zlib streams."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = frozenset(words)
        self.bytes_read = 0
        alphabets = [
            [word for word in self.words if word.isascii()],
            [word for word in self.words if not word.isascii()],
        ]
        by_prefix: dict[bytes, _SpellingIndex] = {}  # some encodings of ASCII words are equal
        for alphabet in filter(None, alphabets):
            for spell in SPELLINGS.values():
                index = _SpellingIndex(spell, alphabet)
                by_prefix[index.prefix] = index
        self._indexes = list(by_prefix.values())

    def __call__(self, contents: Iterable[bytes]) -> set[str]:
        matches: set[str] = set()
        for content in contents:
            self.bytes_read += len(content)
            for content_part in (content, *iter_decompressed(content)):
                for index in self._indexes:
                    matches.update(index.find_words(content_part))
        return matches


class _SpellingIndex:
    """Finds words in one encoding. Searches for their common prefix and compares whole words only there."""

    def __init__(self, spell: Callable[[str], bytes], words: list[str]) -> None:
        self._words = {spell(word): word for word in words}
        self.prefix = _find_common_prefix(min(self._words), max(self._words))
        self._lengths = {len(encoded) for encoded in self._words}

    def find_words(self, content: bytes) -> Iterator[str]:
        at = content.find(self.prefix)
        while at >= 0:
            for length in self._lengths:
                word = self._words.get(content[at : at + length])
                if word is not None:
                    yield word
            at = content.find(self.prefix, at + 1)


def _find_common_prefix(left: bytes, right: bytes) -> bytes:
    """Returns the longest common prefix."""
    size = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(left))
    return left[:size]


def iter_decompressed(content: bytes) -> Iterator[bytes]:
    """Decompresses every gzip or zlib stream in `content`."""
    for header in _STREAM_HEADER.finditer(content):
        plain = _decompress_prefix(memoryview(content)[header.start() :])
        if len(plain) > _MIN_WORD_BYTES:
            yield plain


def _decompress_prefix(content: memoryview) -> bytes:
    """Decompresses in small chunks: nearly all header matches are noise that fails after some bytes."""
    stream, parts = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32), list[bytes]()
    try:
        for at in range(0, min(len(content), _MAX_COMPRESSED_BYTES), _CHUNK_BYTES):
            parts.append(stream.decompress(content[at : at + _CHUNK_BYTES]))
            if stream.eof:
                break
    except zlib.error:
        pass  # the bytes decompressed so far are still searched
    return b"".join(parts)
