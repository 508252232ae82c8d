"""Words that stand nowhere but where they were planted, and a search that knows them in every usual spelling."""

from __future__ import annotations

import base64
import json
import re
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

_MOST_COMPRESSED, _STEP = 16 << 20, 1 << 12
_SHORTEST = 16  # shorter than any word
_COMPRESSED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_FIRST_HAN = 0x4E00
_HAN = 20_000


def _escaped(word: str) -> bytes:
    return "".join(f"\\u{ord(letter):04x}" for letter in word).encode()


def _in_base64(offset: int) -> Callable[[str], bytes]:
    """The letters that are the same whatever stands before and after, when `offset` bytes stand before."""

    def spelled(word: str) -> bytes:
        raw = b"\0" * offset + word.encode()
        encoded = base64.b64encode(raw).rstrip(b"=")
        return encoded[(0, 2, 3)[offset] : len(raw) * 8 // 6]

    return spelled


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
    "base64": _in_base64(0),
    "base64, one byte in": _in_base64(1),
    "base64, two bytes in": _in_base64(2),
    "JSON escapes": lambda word: json.dumps(word)[1:-1].encode(),
    "unicode escapes": _escaped,
    "unicode escapes, upper case": lambda word: _escaped(word).upper().replace(b"\\U", b"\\u"),
    "percent escapes": lambda word: quote(word).encode(),
    "octal escapes": lambda word: "".join(f"\\{byte:03o}" for byte in word.encode()).encode(),
}


class Canaries:
    """Half of the words are ASCII, half Chinese; all of an alphabet have one beginning and one length."""

    def __init__(self) -> None:
        self._latin, self._chinese = f"canary{secrets.token_hex(4)}", _han(4)

    def plant(self, count: int) -> list[str]:
        """New words, to be taken anywhere in this order."""
        return [
            self._latin + secrets.token_hex(8) if number % 2 else self._chinese + _han(6)
            for number in range(count)
        ]


def _han(count: int) -> str:
    return "".join(chr(_FIRST_HAN + secrets.randbelow(_HAN)) for _ in range(count))


class Search:
    """`search(contents)` is the planted words that stand there, also inside gzip and zlib streams."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = frozenset(words)
        self.bytes_read = 0
        alphabets = [
            [word for word in self.words if word.isascii()],
            [word for word in self.words if not word.isascii()],
        ]
        forms = [_Form(spell, alphabet) for alphabet in alphabets if alphabet for spell in SPELLINGS.values()]
        self._forms = list({form.beginning: form for form in forms}.values())

    def __call__(self, contents: Iterable[bytes]) -> set[str]:
        spellings: set[str] = set()
        for content in contents:
            self.bytes_read += len(content)
            for part in (content, *inflated(content)):
                spellings.update(word for form in self._forms for word in form.found(part))
        return spellings


class _Form:
    """Looks for what all words of one spelling begin with, and only there for each of them."""

    def __init__(self, spell: Callable[[str], bytes], words: list[str]) -> None:
        self._words = {spell(word): word for word in words}
        self.beginning = _common(min(self._words), max(self._words))
        self._lengths = {len(spelled) for spelled in self._words}

    def found(self, content: bytes) -> Iterator[str]:
        at = content.find(self.beginning)
        while at >= 0:
            for length in self._lengths:
                word = self._words.get(content[at : at + length])
                if word is not None:
                    yield word
            at = content.find(self.beginning, at + 1)


def _common(one: bytes, other: bytes) -> bytes:
    """What both begin with."""
    size = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[:size]


def inflated(content: bytes) -> Iterator[bytes]:
    """What stands compressed in `content` with gzip or zlib."""
    for begin in _COMPRESSED.finditer(content):
        plain = _inflated(memoryview(content)[begin.start() :])
        if len(plain) > _SHORTEST:
            yield plain


def _inflated(content: memoryview) -> bytes:
    """In small steps: nearly all beginnings are noise that ends after some bytes."""
    stream, parts = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32), list[bytes]()
    try:
        for at in range(0, min(len(content), _MOST_COMPRESSED), _STEP):
            parts.append(stream.decompress(content[at : at + _STEP]))
            if stream.eof:
                break
    except zlib.error:
        pass  # what came out so far is looked at all the same
    return b"".join(parts)
