"""Odd ways to write an id into an address: each might pass one reader and mean the plain id to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

Spelling = Callable[[str], str]


def plain(text: str) -> str:
    return quote(text, safe="")


def bytewise(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def fullwidth(text: str) -> str:
    """Compatibility forms: NFKC makes the plain text of them."""
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


SPELLINGS: Mapping[str, Spelling] = {
    "every byte in percent": bytewise,
    "every byte in lower-case percent": lambda text: bytewise(text).lower(),
    "percent twice": lambda text: plain(plain(text.replace("-", "/"))).replace("%252F", "%252D"),
    "bytes in percent twice": lambda text: plain(bytewise(text)),
    "upper case": lambda text: plain(text.upper()),
    "capitals": lambda text: plain(text.title()),
    "fullwidth forms": lambda text: plain(fullwidth(text)),
    "a combining mark": lambda text: plain(text + "\u0301"),
    "a zero-width space": lambda text: plain(text + "\u200b"),
    "a soft hyphen": lambda text: plain(text[:3] + "\u00ad" + text[3:]),
    "a byte-order mark": lambda text: plain("\ufeff" + text),
    "a non-breaking hyphen": lambda text: plain(text.replace("-", "\u2011")),
    "a slash behind": lambda text: plain(text) + "/",
    "two slashes behind": lambda text: plain(text) + "//",
    "a slash before": lambda text: "/" + plain(text),
    "a hidden slash behind": lambda text: plain(text) + "%2F",
    "here": lambda text: "./" + plain(text),
    "up and down": lambda text: "mirror-item/../" + plain(text),
    "hidden up and down": lambda text: "mirror-item%2F%2E%2E%2F" + plain(text),
    "a NUL behind": lambda text: plain(text) + "%00",
    "a line end behind": lambda text: plain(text) + "%0A",
    "a space behind": lambda text: plain(text) + "%20",
    "a space before": lambda text: "%20" + plain(text),
    "a tab behind": lambda text: plain(text) + "%09",
    "a matrix parameter": lambda text: plain(text) + ";v=1",
    "a hidden query": lambda text: plain(text) + "%3Fk=1",
    "a hidden fragment": lambda text: plain(text) + "%23top",
    "any one character": lambda text: plain(text[:-1] + "_"),
    "any characters": lambda text: plain(text[:-1] + "%"),
    "a star": lambda text: plain(text[:-1] + "*"),
    "a quote": lambda text: plain(text + "' OR '1'='1"),
    "a comment": lambda text: plain(text + "'--"),
    "a list": lambda text: plain(f"mirror-item,{text}"),
    "JSON": lambda text: plain(f'["{text}"]'),
    "too long": lambda text: plain(text + "x" * 300),
    "bytes that are no UTF-8": lambda text: plain(text) + "%FF%FE",
}
