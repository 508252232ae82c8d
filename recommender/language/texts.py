"""Review texts made safe to read: bounded, without control characters, in a known language, in clauses."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from recommender.features.text import UNSPACED
from recommender.language.packaged import word_list

Language = Literal["en", "zh"]
MOST_CHARACTERS = 4_000
_RAW_LIMIT = 4 * MOST_CHARACTERS
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_OTHER_UNSPACED = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_STOP = re.compile(r"[.!?;。！？；\n…~～]+(?=\s|$|[^\s\d])")
_PAUSE = re.compile(
    r"[,，、:：()（）]|\s[-–—]\s|\b(?:but|however|although|though|while|except|yet)\b|但是|不过|可是|然而|就是|只是|但|却"
)
# The commonest short words of each language; what else a text holds does not tell which it is in.
_ENGLISH = word_list("common-words-en.txt")
_FOREIGN = word_list("common-words-other.txt")


def common_words() -> frozenset[str]:
    return _ENGLISH


def clean(text: str) -> str:
    """At most MOST_CHARACTERS characters, NFKC, control characters and runs of spaces as one space, no lone surrogate.

    A longer text is cut: what a reader has not said in four thousand characters does not change the picture."""
    shortened = unicodedata.normalize("NFKC", text[:_RAW_LIMIT])[:MOST_CHARACTERS]
    kept = "".join("\n" if c == "\n" else " " if _unreadable(c) else c for c in shortened)
    return "\n".join(filter(None, (" ".join(line.split()) for line in kept.split("\n"))))


def _unreadable(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def joined(title: str, text: str) -> str:
    """The one cleaned text of a review; a title that opens the text is not said twice."""
    head, body = clean(title), clean(text)
    if not head or body.startswith(head):
        return body
    return f"{head}\n{body}" if body else head


def language_of(text: str, *, stated: str | None = None) -> Language | None:
    """The language of a cleaned text, None where it is neither or nothing tells. `stated` is believed for Latin texts
    only in so far as the script agrees: a Chinese text marked "en" is Chinese."""
    han, letters = len(_HAN.findall(text)), sum(1 for c in text if c.isalpha())
    if not letters or len(_OTHER_UNSPACED.findall(text)) > letters * 0.05:
        return None
    if han >= letters * 0.3:
        return "zh"
    words = [word.casefold().replace("’", "'") for word in _WORDS.findall(text)]
    if sum(map(str.isascii, words)) < 0.8 * len(words):
        return None
    if stated is not None:
        return "en" if stated.casefold().startswith("en") else None
    english, foreign = sum(w in _ENGLISH for w in words), sum(w in _FOREIGN for w in words)
    return "en" if english > foreign else None


def sentences(text: str) -> list[str]:
    """In order, none empty."""
    return [part.strip() for part in _STOP.split(text) if part.strip()]


def clauses(text: str) -> list[str]:
    """Parts of a sentence between pauses and contrasts, where an opinion usually keeps to its object."""
    return [part.strip() for sentence in sentences(text) for part in _PAUSE.split(sentence) if part.strip()]


def words(text: str) -> list[str]:
    """Of a cleaned text, casefolded; a run of characters without spaces is one word."""
    return [word.casefold().replace("’", "'") for word in _WORDS.findall(text)]


def tokens(text: str) -> list[str]:
    """Words of a cleaned text, casefolded, each character for itself where a script has no spaces."""
    found: list[str] = []
    for word in words(text):
        if UNSPACED.search(word):
            found.extend(word)
        else:
            found.append(word)
    return found
