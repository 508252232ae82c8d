"""Normalisation of review texts: bounded length, no control characters, language detection, sentences, clauses, tokens."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from recommender.features.tfidf import UNSPACED
from recommender.language.preprocessing.resources import read_word_list

Language = Literal["en", "zh"]
MAX_CHARACTERS = 4_000
# Normalisation may shorten a text: four times the bound is enough input, and bounds the work for texts of megabytes.
_RAW_LIMIT = 4 * MAX_CHARACTERS
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_OTHER_UNSPACED = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")  # kana and Hangul
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# A stop before a digit ends no sentence ("3.5 inch").
_SENTENCE_END = re.compile(r"[.!?;。！？；\n…~～]+(?=\s|$|[^\s\d])")
_CLAUSE_BREAK = re.compile(
    r"[,，、:：()（）]|\s[-–—]\s|\b(?:but|however|although|though|while|except|yet)\b|但是|不过|可是|然而|就是|只是|但|却"
)
# Function words only: brand names and loan words occur in reviews of every language.
_ENGLISH_WORDS = read_word_list("common-words-en.txt")
_FOREIGN_WORDS = read_word_list("common-words-other.txt")
# Unicode categories: control, surrogate, private use, unassigned, line separator, paragraph separator.
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


def parse_language(code: str) -> Language:
    """Returns "zh" for "zh", "en" for every other code."""
    return "zh" if code == "zh" else "en"


def get_common_words() -> frozenset[str]:
    """The common function words of English, casefolded."""
    return _ENGLISH_WORDS


def clean_text(text: str) -> str:
    """Normalises a text to NFKC and at most MAX_CHARACTERS characters.

    Control characters, lone surrogates and runs of spaces become one space; empty lines are dropped. Longer texts are
    cut at the end."""
    shortened = unicodedata.normalize("NFKC", text[:_RAW_LIMIT])[:MAX_CHARACTERS]
    readable = "".join(map(_replace_control_character, shortened))
    lines = [" ".join(line.split()) for line in readable.split("\n")]
    return "\n".join(filter(None, lines))


def _replace_control_character(character: str) -> str:
    # A line feed is itself of category Cc, but separates sentences.
    if character != "\n" and unicodedata.category(character) in _CONTROL_CATEGORIES:
        return " "
    return character


def join_title_and_text(title: str, text: str) -> str:
    """Returns title and text of a review as one cleaned text; a title that the text begins with is not repeated."""
    heading = clean_text(title)
    body = clean_text(text)
    if not heading or body.startswith(heading):
        return body
    if not body:
        return heading
    return f"{heading}\n{body}"


def detect_language(text: str, *, declared: str | None = None) -> Language | None:
    """Detects the language of a cleaned text by its script and its function words.

    Args:
        text: the cleaned text.
        declared: language code that the client sent. It decides for Latin script only; a text in Chinese characters is
            Chinese even if it is declared as English.

    Returns:
        "en", "zh", or None for another or an undetermined language.
    """
    n_letters = sum(map(str.isalpha, text))
    n_han = len(_HAN.findall(text))
    n_other_unspaced = len(_OTHER_UNSPACED.findall(text))
    if not n_letters or n_other_unspaced > n_letters * 0.05:
        return None
    if n_han >= n_letters * 0.3:
        return "zh"
    words = split_words(text)
    n_ascii = sum(map(str.isascii, words))
    if n_ascii < 0.8 * len(words):
        return None
    if declared is not None:
        is_english = declared.casefold().startswith("en")
    else:
        n_english = sum(word in _ENGLISH_WORDS for word in words)
        n_foreign = sum(word in _FOREIGN_WORDS for word in words)
        is_english = n_english > n_foreign
    return "en" if is_english else None


def split_sentences(text: str) -> list[str]:
    """Returns the sentences of a cleaned text in order; none is empty."""
    return _split_stripped(_SENTENCE_END, text)


def split_clauses(text: str) -> list[str]:
    """Returns the clauses of a cleaned text in order: sentences are split at pauses and contrasting conjunctions.

    An opinion usually refers to a noun in its own clause."""
    clauses = []
    for sentence in split_sentences(text):
        clauses += _split_stripped(_CLAUSE_BREAK, sentence)
    return clauses


def _split_stripped(separator: re.Pattern[str], text: str) -> list[str]:
    stripped = map(str.strip, separator.split(text))
    return list(filter(None, stripped))


def split_words(text: str) -> list[str]:
    """Returns the casefolded words of a cleaned text; a run of characters without spaces is one word."""
    return [word.casefold().replace("’", "'") for word in _WORDS.findall(text)]


def tokenize_text(text: str) -> list[str]:
    """Returns casefolded tokens of a cleaned text: words, or single characters in scripts without spaces."""
    tokens: list[str] = []
    for word in split_words(text):
        if UNSPACED.search(word):
            tokens.extend(word)
        else:
            tokens.append(word)
    return tokens
