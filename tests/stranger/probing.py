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
from tests.stranger.variants import RequestVariant, iter_variants

# What differs by nature: ids and times that the answer makes, versions, tokens of the page, figures of the rate.
_VARIABLE = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|"version":\d+|"catalogue_version":\d+'
)
_VARIABLE_HEADERS = {"RateLimit", "Content-Length", "Date", "Expires", "Last-Modified", "X-Request-Id"}
SendRequest = Callable[[ClientRequest], HttpResponse]


@dataclass(slots=True)
class ProbeResults:
    """`gave_away` and `told_apart` hold one sentence for each bad answer; the first few are enough to see why."""

    n_requests: int = 0
    server_errors: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def order_in_turns(operations: Iterable[AttackedOperation]) -> list[tuple[AttackedOperation, RequestVariant]]:
    """The first way of every operation, then the second of each, and so on."""
    rows = zip_longest(
        *([(operation, variant) for variant in iter_variants(operation)] for operation in operations)
    )
    return [pair for row in rows for pair in row if pair is not None]


def send_both(
    send: SendRequest,
    results: ProbeResults,
    build_request: Callable[[Target], ClientRequest],
    foreign: Target,
    absent: Target,
    *,
    compare: Callable[[HttpResponse, Sequence[Target]], object] | None = None,
) -> None:
    """`compare` is what must be equal of both answers: unless given, all but what differs by nature."""
    normalize, both_targets = compare or normalize_response, (foreign, absent)
    foreign_request, absent_request = (
        replace(build_request(target), headers={**build_request(target).headers, "X-Request-Id": "same"})
        for target in (foreign, absent)
    )
    foreign_response, absent_response = send(foreign_request), send(absent_request)
    name = f"{foreign_request.method} {foreign_request.path} {foreign_request.body[:200]!r} {dict(foreign_request.headers)}"
    results.n_requests += 1
    if max(foreign_response.status, absent_response.status) >= 500:
        results.server_errors.append(f"{name}: {foreign_response.status}, {absent_response.status}")
    if leaks := find_leaks(foreign_response, foreign_request, foreign):
        results.leaks.append(f"{name}: {leaks}")
    foreign_text, absent_text = (
        normalize(foreign_response, both_targets),
        normalize(absent_response, both_targets),
    )
    if foreign_text != absent_text:
        results.differences.append(f"{name}: {_describe_difference(repr(foreign_text), repr(absent_text))}")


def report_results(
    figure: Callable[..., bool], label: str, results: ProbeResults, changed_tables: list[str], n_tables: int
) -> None:
    """States the four figures of a siege; the sentences of the first failures are shown."""
    results_by_name = (
        (f"{label}: foreign data given away", results.leaks, results.n_requests),
        (f"{label}: foreign told from absent", results.differences, results.n_requests),
        (f"{label}: server errors", results.server_errors, results.n_requests),
        (f"{label}: the other tenant's tables changed", changed_tables, n_tables),
    )
    for name, sentences, total in results_by_name:
        assert figure(name, len(sentences), of=total, passes=not sentences), sentences[:3]


def _describe_difference(foreign_text: str, absent_text: str) -> str:
    position = next(
        (
            index
            for index, (character, other) in enumerate(zip(foreign_text, absent_text, strict=False))
            if character != other
        ),
        0,
    )
    window = slice(max(0, position - 60), position + 60)
    return f"... {foreign_text[window]} ... beside ... {absent_text[window]} ..."


def find_leaks(response: HttpResponse, request: ClientRequest, target: Target) -> list[str]:
    """The other tenant's words in the answer that did not stand in the question; its canary in any case.

    Not the address of its person: a stranger may have added that to its own members, and then reads it there.
    """
    request_text = f"{unquote(request.path)} {request.body.decode(errors='replace')} {dict(request.headers)}"
    identifiers = [
        identifier
        for identifier in _list_identifiers(target)
        if identifier not in request_text and identifier != target.email
    ]
    content = response.body + repr(dict(response.headers)).encode()
    return [identifier for identifier in (*identifiers, target.canary) if identifier.encode() in content]


def normalize_response(response: HttpResponse, both_targets: Sequence[Target]) -> tuple[int, bytes]:
    """The answer without the words that either question asked for and without what differs by nature."""
    headers = {name: text for name, text in sorted(response.headers.items()) if name not in _VARIABLE_HEADERS}
    content = response.body + b"\n" + repr(headers).encode()
    for identifier in chain.from_iterable(map(_list_spelled_identifiers, both_targets)):
        content = content.replace(identifier, b"<asked>")
    return response.status, _VARIABLE.sub(b"<variable>", content)


def _list_identifiers(target: Target) -> list[str]:
    """Version numbers are no secrets: 2 stands in many answers."""
    *texts, _cursors = (getattr(target, identifier.name) for identifier in fields(target))
    object_ids = [target.ids.item_id, target.ids.profile_id, target.ids.job_id]
    return [identifier for identifier in (*object_ids, *texts) if isinstance(identifier, str) and identifier]


def _list_spelled_identifiers(target: Target) -> list[bytes]:
    return _spell_identifiers(tuple(_list_identifiers(target)))


@lru_cache(maxsize=200)
def _spell_identifiers(identifiers: tuple[str, ...]) -> list[bytes]:
    """The longest first, and equally long ones always in the same order."""
    spelled = [unquote(spelling(identifier)) for identifier in identifiers for spelling in SPELLINGS.values()]
    encoded = dict.fromkeys(
        identifier.encode(errors="replace") for identifier in (*identifiers, *spelled) if identifier
    )
    return sorted(encoded, key=len, reverse=True)
