"""Sends the same request for a foreign and for an absent object, and compares the responses."""

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

# Parts that differ between equal responses: new ids and times, and versions.
_VARIABLE = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|"version":\d+|"catalogue_version":\d+'
)
_VARIABLE_HEADERS = {"RateLimit", "Content-Length", "Date", "Expires", "Last-Modified", "X-Request-Id"}
SendRequest = Callable[[ClientRequest], HttpResponse]


@dataclass(slots=True)
class ProbeResults:
    """Each list holds one sentence for each bad response."""

    n_requests: int = 0
    server_errors: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def order_in_turns(operations: Iterable[AttackedOperation]) -> list[tuple[AttackedOperation, RequestVariant]]:
    """The first variant of every operation, then the second of each, and so on."""
    columns = [[(operation, variant) for variant in iter_variants(operation)] for operation in operations]
    rows = zip_longest(*columns)
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
    """`compare` extracts what must be equal in both responses; the default is `normalize_response`."""
    normalize, both_targets = compare or normalize_response, (foreign, absent)
    foreign_request = _build_traced_request(build_request, foreign)
    absent_request = _build_traced_request(build_request, absent)
    foreign_response, absent_response = send(foreign_request), send(absent_request)
    body, headers = foreign_request.body[:200], dict(foreign_request.headers)
    name = f"{foreign_request.method} {foreign_request.path} {body!r} {headers}"
    results.n_requests += 1
    if max(foreign_response.status, absent_response.status) >= 500:
        results.server_errors.append(f"{name}: {foreign_response.status}, {absent_response.status}")
    if leaks := find_leaks(foreign_response, foreign_request, foreign):
        results.leaks.append(f"{name}: {leaks}")
    foreign_text = normalize(foreign_response, both_targets)
    absent_text = normalize(absent_response, both_targets)
    if foreign_text != absent_text:
        results.differences.append(f"{name}: {_describe_difference(repr(foreign_text), repr(absent_text))}")


def _build_traced_request(build_request: Callable[[Target], ClientRequest], target: Target) -> ClientRequest:
    """The request with a fixed request id, so that responses do not differ by it."""
    return replace(build_request(target), headers={**build_request(target).headers, "X-Request-Id": "same"})


def report_results(
    figure: Callable[..., bool], label: str, results: ProbeResults, changed_tables: list[str], n_tables: int
) -> None:
    """Reports the four figures of a run and shows the first failures."""
    results_by_name = (
        (f"{label}: foreign data given away", results.leaks, results.n_requests),
        (f"{label}: foreign told from absent", results.differences, results.n_requests),
        (f"{label}: server errors", results.server_errors, results.n_requests),
        (f"{label}: the other tenant's tables changed", changed_tables, n_tables),
    )
    for name, sentences, total in results_by_name:
        assert figure(name, len(sentences), of=total, passes=not sentences), sentences[:3]


def _describe_difference(foreign_text: str, absent_text: str) -> str:
    character_pairs = zip(foreign_text, absent_text, strict=False)
    differing = (index for index, (left, right) in enumerate(character_pairs) if left != right)
    position = next(differing, 0)
    window = slice(max(0, position - 60), position + 60)
    return f"... {foreign_text[window]} ... beside ... {absent_text[window]} ..."


def find_leaks(response: HttpResponse, request: ClientRequest, target: Target) -> list[str]:
    """The other tenant's identifiers in the response that were not in the request, and its canary in any case.

    The e-mail address is excluded: a stranger may have added it to its own members, and then reads it there.
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
    """The response without the identifiers of both targets and without variable parts."""
    headers = {name: text for name, text in sorted(response.headers.items()) if name not in _VARIABLE_HEADERS}
    content = response.body + b"\n" + repr(headers).encode()
    for identifier in chain.from_iterable(map(_list_spelled_identifiers, both_targets)):
        content = content.replace(identifier, b"<asked>")
    return response.status, _VARIABLE.sub(b"<variable>", content)


def _list_identifiers(target: Target) -> list[str]:
    """All identifiers of a target but version numbers, which are no secrets and occur in many responses."""
    *texts, _cursors = (getattr(target, identifier.name) for identifier in fields(target))
    object_ids = [target.ids.item_id, target.ids.profile_id, target.ids.job_id]
    return [identifier for identifier in (*object_ids, *texts) if isinstance(identifier, str) and identifier]


def _list_spelled_identifiers(target: Target) -> list[bytes]:
    return _spell_identifiers(tuple(_list_identifiers(target)))


@lru_cache(maxsize=200)
def _spell_identifiers(identifiers: tuple[str, ...]) -> list[bytes]:
    """All spellings, the longest first, in a stable order."""
    spelled = [unquote(spelling(identifier)) for identifier in identifiers for spelling in SPELLINGS.values()]
    encoded = dict.fromkeys(
        identifier.encode(errors="replace") for identifier in (*identifiers, *spelled) if identifier
    )
    return sorted(encoded, key=len, reverse=True)
