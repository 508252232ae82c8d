"""Asks for a foreign thing and for an absent one in the same way, and says what the answers gave away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from itertools import zip_longest
from urllib.parse import unquote

from lepton_platform.management.isolation.attack import Operation
from lepton_platform.management.isolation.doors import Answer, Request
from tests.stranger.spellings import SPELLINGS
from tests.stranger.targets import Target
from tests.stranger.ways import Way, ways

# What differs by nature: ids and times that the answer makes, versions, tokens of the page, figures of the rate.
_VARIABLE = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|"version":\d+|"catalogue_version":\d+'
)
_VARIABLE_HEADERS = {"RateLimit", "Content-Length", "Date"}
Ask = Callable[[Request], Answer]


@dataclass(slots=True)
class Tally:
    """`gave_away` and `told_apart` hold one sentence for each bad answer; the first few are enough to see why."""

    asked: int = 0
    broke: list[str] = field(default_factory=list)
    gave_away: list[str] = field(default_factory=list)
    told_apart: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        return len(self.broke) + len(self.gave_away) + len(self.told_apart)


def in_turns(operations: Iterable[Operation]) -> list[tuple[Operation, Way]]:
    """The first way of every operation, then the second of each, and so on."""
    rows = zip_longest(*([(one, way) for way in ways(one)] for one in operations))
    return [pair for row in rows for pair in row if pair is not None]


def ask_both(
    ask: Ask, tally: Tally, make: Callable[[Target], Request], foreign: Target, absent: Target
) -> None:
    asked, beside = (
        replace(make(one), headers={**make(one).headers, "X-Request-Id": "same"}) for one in (foreign, absent)
    )
    theirs, nobodys = ask(asked), ask(beside)
    name = f"{asked.method} {asked.path} {asked.body[:200]!r} {dict(asked.headers)}"
    tally.asked += 1
    if max(theirs.status, nobodys.status) >= 500:
        tally.broke.append(f"{name}: {theirs.status}, {nobodys.status}")
    if found := given_away(theirs, asked, foreign):
        tally.gave_away.append(f"{name}: {found}")
    if comparable(theirs, foreign) != comparable(nobodys, absent):
        tally.told_apart.append(f"{name}: {theirs} beside {nobodys}")


def given_away(answer: Answer, asked: Request, target: Target) -> list[str]:
    """The other tenant's words in the answer that did not stand in the question; its canary in any case."""
    question = f"{unquote(asked.path)} {asked.body.decode(errors='replace')} {dict(asked.headers)}"
    words = [one for one in _words(target) if one not in question]
    said = answer.body + repr(dict(answer.headers)).encode()
    return [one for one in (*words, target.word) if one.encode() in said]


def comparable(answer: Answer, target: Target) -> tuple[int, bytes, Mapping[str, str]]:
    """The answer without the words that were asked for and without what differs by nature."""
    body = answer.body
    for word in _spelled_words(target):
        body = body.replace(word, b"<asked>")
    headers = {name: text for name, text in answer.headers.items() if name not in _VARIABLE_HEADERS}
    return answer.status, _VARIABLE.sub(b"<variable>", body), headers


def _words(target: Target) -> list[str]:
    """Version numbers are no secrets: 2 stands in many answers."""
    *texts, _cursors = (getattr(target, one.name) for one in fields(target))
    found = [target.ids.item_id, target.ids.profile_id, target.ids.job_id]
    return [one for one in (*found, *texts) if isinstance(one, str) and one]


def _spelled_words(target: Target) -> list[bytes]:
    return _in_every_spelling(tuple(_words(target)))


@lru_cache(maxsize=200)
def _in_every_spelling(words: tuple[str, ...]) -> list[bytes]:
    """The longest first."""
    spelled = [unquote(spelling(one)) for one in words for spelling in SPELLINGS.values()]
    everything = {one.encode(errors="replace") for one in (*words, *spelled) if one}
    return sorted(everything, key=len, reverse=True)
