"""Which facts a model may read. What is stated here, and nothing else, becomes a column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from recommender.types import DataError

FeatureRole = Literal["user", "item", "context"]
FeatureKind = Literal["categorical", "numeric", "time", "tags", "text"]

# Names by which the same fact is known. A denial of one denies all of its line.
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
# A place where a new word begins inside one without spaces: "userGender", "HIVStatus", "gender2".
_CAMEL_CASE_BOUNDARY = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"
)


def split_identifier(name: str) -> tuple[str, ...]:
    """The words of a name, casefolded and without a plural's s: "userGenders" -> ("user", "gender")."""
    parted = _CAMEL_CASE_BOUNDARY.sub(" ", unicodedata.normalize("NFKC", name))
    return tuple(_strip_plural(word.casefold()) for word in _WORD.findall(parted))


def _strip_plural(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "is", "cs")) or word == "aids":
        return word
    return word[:-1]


class DeniedAttributes:
    """Names that may never be features, with what else they are called.

    A name is denied when the words of a denied name stand in it in a row ("customer_gender_code"), or when it is one
    written without spaces ("dateofbirth"). This errs on the side of denying: "sex" of a plant is denied as well."""

    def __init__(self, names: Iterable[str]) -> None:
        phrases: dict[tuple[str, ...], str] = {}
        lines = [{split_identifier(name): name for name in line} for line in SYNONYMS]
        for name in sorted(names):
            words = split_identifier(name)
            phrases.setdefault(words, name)
            for line in lines:
                if words in line:
                    phrases |= {other: name for other in line if other not in phrases}
        phrases.pop((), None)
        self._phrases = phrases
        self._joined = {"".join(words): name for words, name in phrases.items()}

    def find_denied_match(self, name: str) -> str:
        """The denied name that this one amounts to; "" where it may be used."""
        words = split_identifier(name)
        if joined := self._joined.get("".join(words)):
            return joined
        for start in range(len(words)):
            for end in range(start + 1, len(words) + 1):
                if found := self._phrases.get(words[start:end]) or self._joined.get(
                    "".join(words[start:end])
                ):
                    return found
        return self._match_unspaced(words)

    def _match_unspaced(self, words: Sequence[str]) -> str:
        """Chinese has no spaces: there a denied word counts wherever it stands in the name."""
        for joined, name in self._joined.items():
            if not joined.isascii() and any(joined in word for word in words):
                return name
        return ""


@dataclass(frozen=True, slots=True)
class Feature:
    """`personal`: it tells something about one person. What is not `allowed` is known and becomes no column."""

    name: str
    role: FeatureRole
    kind: FeatureKind
    personal: bool = False
    allowed: bool = True

    def __post_init__(self) -> None:
        if not split_identifier(self.name):
            raise DataError(f"The feature name {self.name!r} holds no word.")
        if self.role not in get_args(FeatureRole):
            raise DataError(
                f"The role {self.role!r} of {self.name!r} is none of {', '.join(get_args(FeatureRole))}."
            )
        if self.kind not in get_args(FeatureKind):
            raise DataError(
                f"The kind {self.kind!r} of {self.name!r} is none of {', '.join(get_args(FeatureKind))}."
            )
        if self.personal and self.role == "item":
            raise DataError(f"The item feature {self.name!r} cannot be personal: items are no persons.")


@dataclass(frozen=True, slots=True)
class FeatureSpecification:
    """Features without contradiction, none of them denied by `never`. Raises DataError with one sentence."""

    features: tuple[Feature, ...]
    denied_attributes: tuple[str, ...]

    def __post_init__(self) -> None:
        known: dict[str, Feature] = {}
        denials = DeniedAttributes(self.denied_attributes)
        for feature in self.features:
            earlier = known.setdefault(normalize_name(feature.name), feature)
            if earlier is not feature:
                raise DataError(_describe_conflict(earlier, feature))
            if feature.allowed and (denied := denials.find_denied_match(feature.name)):
                raise DataError(
                    f"The feature {feature.name!r} may not be used here: {denied!r} is never a feature."
                )

    def select_features(self, role: FeatureRole) -> tuple[Feature, ...]:
        """The usable features of a role, in the order stated."""
        return tuple(f for f in self.features if f.role == role and f.allowed)


def normalize_name(name: str) -> str:
    """Equal for names that are one and the same to a specification; "" for what is no name."""
    return " ".join(split_identifier(name))


def _describe_conflict(earlier: Feature, later: Feature) -> str:
    for what in ("kind", "role", "personal", "allowed"):
        if getattr(earlier, what) != getattr(later, what):
            return (
                f"The feature {later.name!r} is stated twice with a different {what}: "
                f"{getattr(earlier, what)} and {getattr(later, what)}."
            )
    return f"The feature {later.name!r} is stated twice."
