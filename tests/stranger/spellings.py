"""Unusual ways to write an id into a URL, which one parser might accept and the next read as the plain id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

Spelling = Callable[[str], str]


def quote_plain(text: str) -> str:
    return quote(text, safe="")


def quote_every_byte(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def convert_to_fullwidth(text: str) -> str:
    """Compatibility characters that NFKC normalizes to the plain text."""
    return "".join(
        chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text
    )


SPELLINGS: Mapping[str, Spelling] = {
    "every byte in percent": quote_every_byte,
    "every byte in lower-case percent": lambda text: quote_every_byte(text).lower(),
    "percent twice": lambda text: quote_plain(quote_plain(text.replace("-", "/"))).replace("%252F", "%252D"),
    "bytes in percent twice": lambda text: quote_plain(quote_every_byte(text)),
    "upper case": lambda text: quote_plain(text.upper()),
    "capitals": lambda text: quote_plain(text.title()),
    "fullwidth forms": lambda text: quote_plain(convert_to_fullwidth(text)),
    "a combining mark": lambda text: quote_plain(text + "\u0301"),
    "a zero-width space": lambda text: quote_plain(text + "\u200b"),
    "a soft hyphen": lambda text: quote_plain(text[:3] + "\u00ad" + text[3:]),
    "a byte-order mark": lambda text: quote_plain("\ufeff" + text),
    "a non-breaking hyphen": lambda text: quote_plain(text.replace("-", "\u2011")),
    "a slash behind": lambda text: quote_plain(text) + "/",
    "two slashes behind": lambda text: quote_plain(text) + "//",
    "a slash before": lambda text: "/" + quote_plain(text),
    "a hidden slash behind": lambda text: quote_plain(text) + "%2F",
    "here": lambda text: "./" + quote_plain(text),
    "up and down": lambda text: "mirror-item/../" + quote_plain(text),
    "hidden up and down": lambda text: "mirror-item%2F%2E%2E%2F" + quote_plain(text),
    "a NUL behind": lambda text: quote_plain(text) + "%00",
    "a line end behind": lambda text: quote_plain(text) + "%0A",
    "a space behind": lambda text: quote_plain(text) + "%20",
    "a space before": lambda text: "%20" + quote_plain(text),
    "a tab behind": lambda text: quote_plain(text) + "%09",
    "a matrix parameter": lambda text: quote_plain(text) + ";v=1",
    "a hidden query": lambda text: quote_plain(text) + "%3Fk=1",
    "a hidden fragment": lambda text: quote_plain(text) + "%23top",
    "any one character": lambda text: quote_plain(text[:-1] + "_"),
    "any characters": lambda text: quote_plain(text[:-1] + "%"),
    "a star": lambda text: quote_plain(text[:-1] + "*"),
    "a quote": lambda text: quote_plain(text + "' OR '1'='1"),
    "a comment": lambda text: quote_plain(text + "'--"),
    "a list": lambda text: quote_plain(f"mirror-item,{text}"),
    "JSON": lambda text: quote_plain(f'["{text}"]'),
    "too long": lambda text: quote_plain(text + "x" * 300),
    "bytes that are no UTF-8": lambda text: quote_plain(text) + "%FF%FE",
}
