"""Review texts made safe to read: bounded, without control characters, in a known language, in clauses."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from recommender.features.tfidf import UNSPACED
from recommender.language.preprocessing.resources import read_word_list

Language = Literal["en", "zh"]
MAX_CHARACTERS = 4_000
_RAW_LIMIT = 4 * MAX_CHARACTERS
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_OTHER_UNSPACED = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE_END = re.compile(r"[.!?;。！？；\n…~～]+(?=\s|$|[^\s\d])")
_CLAUSE_BREAK = re.compile(
    r"[,，、:：()（）]|\s[-–—]\s|\b(?:but|however|although|though|while|except|yet)\b|但是|不过|可是|然而|就是|只是|但|却"
)
# The commonest short words of each language; what else a text holds does not tell which it is in.
_ENGLISH_WORDS = read_word_list("common-words-en.txt")
_FOREIGN_WORDS = read_word_list("common-words-other.txt")


def get_common_words() -> frozenset[str]:
    return _ENGLISH_WORDS


def clean_text(text: str) -> str:
    """At most MOST_CHARACTERS characters, NFKC, control characters and runs of spaces as one space, no lone surrogate.

    A longer text is cut: what a reader has not said in four thousand characters does not change the picture."""
    shortened = unicodedata.normalize("NFKC", text[:_RAW_LIMIT])[:MAX_CHARACTERS]
    kept = "".join("\n" if c == "\n" else " " if _is_control_character(c) else c for c in shortened)
    return "\n".join(filter(None, (" ".join(line.split()) for line in kept.split("\n"))))


def _is_control_character(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def join_title_and_text(title: str, text: str) -> str:
    """The one cleaned text of a review; a title that opens the text is not said twice."""
    head, body = clean_text(title), clean_text(text)
    if not head or body.startswith(head):
        return body
    return f"{head}\n{body}" if body else head


def detect_language(text: str, *, declared: str | None = None) -> Language | None:
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
    if declared is not None:
        return "en" if declared.casefold().startswith("en") else None
    english, foreign = sum(w in _ENGLISH_WORDS for w in words), sum(w in _FOREIGN_WORDS for w in words)
    return "en" if english > foreign else None


def split_sentences(text: str) -> list[str]:
    """In order, none empty."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def split_clauses(text: str) -> list[str]:
    """Parts of a sentence between pauses and contrasts, where an opinion usually keeps to its object."""
    return [
        part.strip()
        for sentence in split_sentences(text)
        for part in _CLAUSE_BREAK.split(sentence)
        if part.strip()
    ]


def split_words(text: str) -> list[str]:
    """Of a cleaned text, casefolded; a run of characters without spaces is one word."""
    return [word.casefold().replace("’", "'") for word in _WORDS.findall(text)]


def tokenize_text(text: str) -> list[str]:
    """Words of a cleaned text, casefolded, each character for itself where a script has no spaces."""
    found: list[str] = []
    for word in split_words(text):
        if UNSPACED.search(word):
            found.extend(word)
        else:
            found.append(word)
    return found
