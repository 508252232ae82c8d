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
_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_NAMED_FIELD = re.compile(r"(missing required|unknown) field `(?P<name>[^`]*)`")
_ERROR_CODES = (
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
class DecodedBatch(Generic[T]):
    """Rows that could be read, each with its number in the caller's list, and why the others could not."""

    rows: Sequence[T]
    row_numbers: Sequence[int]
    rejected: Sequence[RowError]

    def __len__(self) -> int:
        return len({*self.row_numbers, *(error.row for error in self.rejected)})


def read_body(
    request: HttpRequest, *, max_bytes: int, media_types: tuple[str, ...] = ("application/json",)
) -> bytes:
    """At most `limit` bytes. Raises TooLarge before reading, UnsupportedMediaType, LengthRequired."""
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired()
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError as error:
        raise LengthRequired() from error
    if announced == 0:
        raise MalformedBody("The body is empty.")
    if get_media_type(request) not in media_types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(media_types)}.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body uncompressed.")
    too_large = TooLarge(f"The body is larger than {max_bytes // KIB} KiB.")
    if announced > max_bytes:
        raise too_large
    content = bytes(request.read(max_bytes + 1))
    if len(content) > max_bytes:
        raise too_large
    return content


def get_media_type(request: HttpRequest) -> str:
    """Without its parameters; empty where none is said."""
    return str(request.META.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


def decode_body(content: bytes, data_type: type[T]) -> T:
    """Raises MalformedBody, or Invalid with a pointer to the first field that is wrong."""
    _require_unique_keys(content)
    return _decode_json(content, data_type)


def decode_batch(
    content: bytes, data_type: type[T], *, name: str, max_rows: int = MAX_ROWS
) -> DecodedBatch[T]:
    """`{name: [row, ...]}`; a bad row is reported and its neighbours are kept.

    Of a member repeated inside a row the last value counts: to look for repeats costs more than to decode.
    Raises MalformedBody, Invalid (not such an object), TooLarge (more rows than `max_rows`).
    """
    _require_utf8(content)
    strict, raw, row = _build_batch_decoders(cast("Hashable", data_type), name)
    try:
        rows = getattr(strict.decode(content), name)
        _require_max_rows(len(rows), max_rows)
        return DecodedBatch(rows, range(len(rows)), ())
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody() from error
    return _decode_rows(_decode_or_raise(raw, content), row, name=name, max_rows=max_rows)


def _decode_rows(
    envelope: Any, row_decoder: msgspec.json.Decoder[T], *, name: str, max_rows: int
) -> DecodedBatch[T]:
    texts: list[msgspec.Raw] = getattr(envelope, name)
    _require_max_rows(len(texts), max_rows)
    rows, numbers, rejected = [], [], []
    for number, text in enumerate(texts):
        try:
            rows.append(_decode_or_raise(row_decoder, text))
            numbers.append(number)
        except Invalid as error:
            rejected += [
                RowError(number, f"/{name}/{number}{e.pointer}", e.code, e.detail) for e in error.errors
            ]
    return DecodedBatch(rows, numbers, rejected)


@lru_cache(maxsize=64)
def _get_decoder(data_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(data_type)


@lru_cache(maxsize=16)
def _build_batch_decoders(
    data_type: Any, name: str
) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    strict = msgspec.defstruct("Batch", [(name, list[data_type])], forbid_unknown_fields=True)
    raw = msgspec.defstruct("RawBatch", [(name, list[msgspec.Raw])], forbid_unknown_fields=True)
    return msgspec.json.Decoder(strict), msgspec.json.Decoder(raw), msgspec.json.Decoder(data_type)


def _decode_json(content: bytes, data_type: type[T]) -> T:
    _require_utf8(content)
    value: T = _decode_or_raise(_get_decoder(cast("Hashable", data_type)), content)
    return value


def _decode_or_raise(decoder: msgspec.json.Decoder[T], content: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise Invalid([_parse_field_error(str(error))]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody() from error


def _parse_field_error(message: str) -> FieldError:
    """From msgspec's sentence and path to a pointer, a code and a sentence."""
    found = _PATH.search(message)
    steps = [a or b for a, b in _PATH_STEP.findall(found["path"])] if found else []
    sentence = message[: found.start()] if found else message
    if named := _NAMED_FIELD.search(sentence):
        steps.append(named["name"])
    code = next((code for words, code in _ERROR_CODES if words in sentence), "type")
    pointer = "".join("/" + s.replace("~", "~0").replace("/", "~1") for s in steps if s != "...")
    return FieldError(pointer, code, f"{sentence}.")


def _require_utf8(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody() from error


def _require_max_rows(count: int, max_rows: int) -> None:
    if count > max_rows:
        raise TooLarge(f"A batch holds at most {max_rows} rows.")


def _require_unique_keys(content: bytes) -> None:
    """JSON with a repeated member name means different things to different readers."""
    try:
        json.loads(content, object_pairs_hook=_reject_duplicate_keys)
    except _DuplicateKeyError as error:
        raise MalformedBody("A member name is repeated inside one object.") from error
    except (ValueError, RecursionError):
        return


class _DuplicateKeyError(Exception):
    pass


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _DuplicateKeyError
