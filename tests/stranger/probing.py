"""Asks for a foreign thing and for an absent one in the same way, and says what the answers gave away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from itertools import chain, zip_longest
from urllib.parse import unquote

from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.attack import AttackedOperation
from lepton_platform.management.isolation.clients import ClientRequest
from tests.stranger.spellings import SPELLINGS
from tests.stranger.targets import Target
from tests.stranger.variants import Way, ways

# What differs by nature: ids and times that the answer makes, versions, tokens of the page, figures of the rate.
_VARIABLE = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|"version":\d+|"catalogue_version":\d+'
)
_VARIABLE_HEADERS = {"RateLimit", "Content-Length", "Date", "Expires", "Last-Modified", "X-Request-Id"}
Ask = Callable[[ClientRequest], HttpResponse]


@dataclass(slots=True)
class Tally:
    """`gave_away` and `told_apart` hold one sentence for each bad answer; the first few are enough to see why."""

    asked: int = 0
    broke: list[str] = field(default_factory=list)
    gave_away: list[str] = field(default_factory=list)
    told_apart: list[str] = field(default_factory=list)


def in_turns(operations: Iterable[AttackedOperation]) -> list[tuple[AttackedOperation, Way]]:
    """The first way of every operation, then the second of each, and so on."""
    rows = zip_longest(*([(one, way) for way in ways(one)] for one in operations))
    return [pair for row in rows for pair in row if pair is not None]


def ask_both(
    ask: Ask,
    tally: Tally,
    make: Callable[[Target], ClientRequest],
    foreign: Target,
    absent: Target,
    *,
    compare: Callable[[HttpResponse, Sequence[Target]], object] | None = None,
) -> None:
    """`compare` is what must be equal of both answers: unless given, all but what differs by nature."""
    of, either = compare or comparable, (foreign, absent)
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
    here, there = of(theirs, either), of(nobodys, either)
    if here != there:
        tally.told_apart.append(f"{name}: {_difference(repr(here), repr(there))}")


def hold(figure: Callable[..., bool], what: str, tally: Tally, changed: list[str], tables: int) -> None:
    """States the four figures of a siege; the sentences of the first failures are shown."""
    found = (
        (f"{what}: foreign data given away", tally.gave_away, tally.asked),
        (f"{what}: foreign told from absent", tally.told_apart, tally.asked),
        (f"{what}: server errors", tally.broke, tally.asked),
        (f"{what}: the other tenant's tables changed", changed, tables),
    )
    for name, sentences, of in found:
        assert figure(name, len(sentences), of=of, passes=not sentences), sentences[:3]


def _difference(here: str, there: str) -> str:
    at = next((n for n, (one, other) in enumerate(zip(here, there, strict=False)) if one != other), 0)
    around = slice(max(0, at - 60), at + 60)
    return f"... {here[around]} ... beside ... {there[around]} ..."


def given_away(answer: HttpResponse, asked: ClientRequest, target: Target) -> list[str]:
    """The other tenant's words in the answer that did not stand in the question; its canary in any case.

    Not the address of its person: a stranger may have added that to its own members, and then reads it there.
    """
    question = f"{unquote(asked.path)} {asked.body.decode(errors='replace')} {dict(asked.headers)}"
    words = [one for one in _words(target) if one not in question and one != target.email]
    said = answer.body + repr(dict(answer.headers)).encode()
    return [one for one in (*words, target.word) if one.encode() in said]


def comparable(answer: HttpResponse, either: Sequence[Target]) -> tuple[int, bytes]:
    """The answer without the words that either question asked for and without what differs by nature."""
    headers = {name: text for name, text in sorted(answer.headers.items()) if name not in _VARIABLE_HEADERS}
    said = answer.body + b"\n" + repr(headers).encode()
    for word in chain.from_iterable(map(_spelled_words, either)):
        said = said.replace(word, b"<asked>")
    return answer.status, _VARIABLE.sub(b"<variable>", said)


def _words(target: Target) -> list[str]:
    """Version numbers are no secrets: 2 stands in many answers."""
    *texts, _cursors = (getattr(target, one.name) for one in fields(target))
    found = [target.ids.item_id, target.ids.profile_id, target.ids.job_id]
    return [one for one in (*found, *texts) if isinstance(one, str) and one]


def _spelled_words(target: Target) -> list[bytes]:
    return _in_every_spelling(tuple(_words(target)))


@lru_cache(maxsize=200)
def _in_every_spelling(words: tuple[str, ...]) -> list[bytes]:
    """The longest first, and equally long ones always in the same order."""
    spelled = [unquote(spelling(one)) for one in words for spelling in SPELLINGS.values()]
    everything = dict.fromkeys(one.encode(errors="replace") for one in (*words, *spelled) if one)
    return sorted(everything, key=len, reverse=True)
