"""Attribute names that may never be features, in all their synonyms and spellings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Synonyms of protected attributes. Denying one name denies all names of its line.
SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("gender", "sex", "gender identity", "性别"),
    ("age", "birth", "birthday", "birthdate", "dob", "born", "date of birth", "年龄", "生日", "出生日期"),
    ("religion", "religious", "faith", "belief", "confession", "宗教", "信仰"),
    ("race", "racial", "ethnicity", "ethnic", "skin colour", "skin color", "种族", "民族"),
    ("political opinion", "politics", "political", "party membership", "政治", "政治观点", "党派"),
    ("sexual orientation", "sexuality", "sex life", "性取向"),
    ("health", "medical", "diagnosis", "disease", "illness", "健康", "疾病"),
    ("union membership", "trade union", "labour union", "labor union", "union member", "工会"),
    ("income", "salary", "wage", "earnings", "收入", "工资"),
    ("marital", "marital state", "marital status", "civil status", "marriage", "married", "婚姻", "婚姻状况"),
    ("postcode", "postal code", "post code", "zip", "zip code", "邮编", "邮政编码"),
    ("disability", "disabled", "handicap", "残疾"),
    ("discipline", "disciplinary", "纪律"),
    ("emotion", "emotional", "mood", "情绪"),
    ("genetics", "genetic", "genome", "dna", "基因"),
    ("psychiatry", "psychiatric", "mental health", "精神病"),
    ("hiv", "aids"),
    ("reproductive", "pregnancy", "pregnant", "fertility", "生育", "怀孕"),
)
_WORD = re.compile(r"[^\W_]+")
# Boundaries of words in a name without spaces: "userGender", "HIVStatus", "gender2".
_CAMEL_CASE_BOUNDARY = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"
)

Words = tuple[str, ...]


def split_identifier(name: str) -> Words:
    """The words of a name, casefolded and without a plural s: "userGenders" -> ("user", "gender")."""
    spaced = _CAMEL_CASE_BOUNDARY.sub(" ", unicodedata.normalize("NFKC", name))
    return tuple(_strip_plural(word.casefold()) for word in _WORD.findall(spaced))


def normalize_name(name: str) -> str:
    """The words of a name with spaces between; equal for spellings of one name, "" for a name without words."""
    return " ".join(split_identifier(name))


def _strip_plural(word: str) -> str:
    # "ss", "is" and "cs" end words in the singular: "class", "diagnosis", "politics".
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "is", "cs")) or word == "aids":
        return word
    return word[:-1]


class DeniedAttributes:
    """Denied names with their synonyms.

    A name is denied if it contains the words of a denied name consecutively ("customer_gender_code"), or a denied name
    written without spaces ("dateofbirth"). False positives are accepted: the "sex" of a plant is denied as well.
    """

    def __init__(self, names: Iterable[str]) -> None:
        synonym_lines = []
        for line in SYNONYMS:
            synonym_lines.append([split_identifier(synonym) for synonym in line])
        # Denied name by the words of each of its synonyms.
        denied_by_words: dict[Words, str] = {}
        for name in sorted(names):
            words = split_identifier(name)
            denied_by_words.setdefault(words, name)
            for synonyms in synonym_lines:
                if words in synonyms:
                    for synonym in synonyms:
                        denied_by_words.setdefault(synonym, name)
        # A name without words would match everywhere.
        denied_by_words.pop((), None)
        self._denied_by_words = denied_by_words
        self._denied_by_joined = {"".join(words): name for words, name in denied_by_words.items()}

    def find_denied_match(self, name: str) -> str:
        """The denied name that this name contains, in any spelling; "" if the name may be used."""
        words = split_identifier(name)
        match = self._denied_by_joined.get("".join(words))
        if match:
            return match
        for start in range(len(words)):
            for end in range(start + 1, len(words) + 1):
                match = self._match_words(words[start:end])
                if match:
                    return match
        return self._match_unspaced(words)

    def _match_words(self, words: Words) -> str:
        return self._denied_by_words.get(words) or self._denied_by_joined.get("".join(words), "")

    def _match_unspaced(self, words: Sequence[str]) -> str:
        """Chinese has no spaces between words: a denied word matches at any position of the name."""
        for joined, name in self._denied_by_joined.items():
            if joined.isascii():
                continue
            if any(joined in word for word in words):
                return name
        return ""
