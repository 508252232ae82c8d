"""From the bytes of a request to typed values, strictly; batches row by row when the whole does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

import msgspec
from django.http import HttpRequest

from lepton_platform.api.errors import LengthRequired, MalformedBody, UnsupportedMediaType
from tenants.data.types import RowError
from tenants.errors import FieldError, Invalid, TooLarge

T = TypeVar("T")

MAX_ROWS = 1000
KIB = 1024
_PATH = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_NAMED = re.compile(r"(missing required|unknown) field `(?P<name>[^`]*)`")
_CODES = (
    ("missing required field", "required"),
    ("unknown field", "unknown_field"),
    ("of length", "length"),
    ("out of range", "range"),
    (">=", "range"),
    ("<=", "range"),
    ("matching regex", "format"),
    ("timezone", "format"),
    ("Invalid ", "format"),
)


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Rows that could be read, each with its number in the caller's list, and why the others could not."""

    rows: Sequence[T]
    numbers: Sequence[int]
    rejected: Sequence[RowError]

    def __len__(self) -> int:
        return len({*self.numbers, *(error.row for error in self.rejected)})


def read(request: HttpRequest, *, limit: int, media_types: tuple[str, ...] = ("application/json",)) -> bytes:
    """At most `limit` bytes. Raises TooLarge before reading, UnsupportedMediaType, LengthRequired."""
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired()
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError as error:
        raise LengthRequired() from error
    if announced == 0:
        raise MalformedBody("The body is empty.")
    if media_type(request) not in media_types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(media_types)}.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body uncompressed.")
    too_large = TooLarge(f"The body is larger than {limit // KIB} KiB.")
    if announced > limit:
        raise too_large
    content = bytes(request.read(limit + 1))
    if len(content) > limit:
        raise too_large
    return content


def media_type(request: HttpRequest) -> str:
    """Without its parameters; empty where none is said."""
    return str(request.META.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


def decode(content: bytes, kind: type[T]) -> T:
    """Raises MalformedBody, or Invalid with a pointer to the first field that is wrong."""
    _require_unique_names(content)
    return _decode(content, kind)


def decode_batch(content: bytes, kind: type[T], *, name: str, max_rows: int = MAX_ROWS) -> Batch[T]:
    """`{name: [row, ...]}`; a bad row is reported and its neighbours are kept.

    Of a member repeated inside a row the last value counts: to look for repeats costs more than to decode.
    Raises MalformedBody, Invalid (not such an object), TooLarge (more rows than `max_rows`).
    """
    _require_utf8(content)
    strict, raw, row = _batch_decoders(cast("Hashable", kind), name)
    try:
        rows = getattr(strict.decode(content), name)
        _require_rows(len(rows), max_rows)
        return Batch(rows, range(len(rows)), ())
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody() from error
    return _row_by_row(_run(raw, content), row, name=name, max_rows=max_rows)


def _row_by_row(envelope: Any, row: msgspec.json.Decoder[T], *, name: str, max_rows: int) -> Batch[T]:
    texts: list[msgspec.Raw] = getattr(envelope, name)
    _require_rows(len(texts), max_rows)
    rows, numbers, rejected = [], [], []
    for number, text in enumerate(texts):
        try:
            rows.append(_run(row, text))
            numbers.append(number)
        except Invalid as error:
            rejected += [
                RowError(number, f"/{name}/{number}{e.pointer}", e.code, e.detail) for e in error.errors
            ]
    return Batch(rows, numbers, rejected)


@lru_cache(maxsize=64)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@lru_cache(maxsize=16)
def _batch_decoders(
    kind: Any, name: str
) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    strict = msgspec.defstruct("Batch", [(name, list[kind])], forbid_unknown_fields=True)
    raw = msgspec.defstruct("RawBatch", [(name, list[msgspec.Raw])], forbid_unknown_fields=True)
    return msgspec.json.Decoder(strict), msgspec.json.Decoder(raw), msgspec.json.Decoder(kind)


def _decode(content: bytes, kind: type[T]) -> T:
    _require_utf8(content)
    value: T = _run(_decoder(cast("Hashable", kind)), content)
    return value


def _run(decoder: msgspec.json.Decoder[T], content: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise Invalid([_field_error(str(error))]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody() from error


def _field_error(message: str) -> FieldError:
    """From msgspec's sentence and path to a pointer, a code and a sentence."""
    found = _PATH.search(message)
    steps = [a or b for a, b in _STEP.findall(found["path"])] if found else []
    sentence = message[: found.start()] if found else message
    if named := _NAMED.search(sentence):
        steps.append(named["name"])
    code = next((code for words, code in _CODES if words in sentence), "type")
    pointer = "".join("/" + s.replace("~", "~0").replace("/", "~1") for s in steps if s != "...")
    return FieldError(pointer, code, f"{sentence}.")


def _require_utf8(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody() from error


def _require_rows(count: int, most: int) -> None:
    if count > most:
        raise TooLarge(f"A batch holds at most {most} rows.")


def _require_unique_names(content: bytes) -> None:
    """JSON with a repeated member name means different things to different readers."""
    try:
        json.loads(content, object_pairs_hook=_unique)
    except _RepeatedName as error:
        raise MalformedBody("A member name is repeated inside one object.") from error
    except (ValueError, RecursionError):
        return


class _RepeatedName(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _RepeatedName
