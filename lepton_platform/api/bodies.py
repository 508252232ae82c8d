"""Strict decoding of request bodies. A batch with invalid rows is decoded row by row, so that the valid rows are kept."""

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
# The end of a msgspec error message: the path of the wrong value, e.g. " - at `$.events[3].price`".
_PATH = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_NAMED_FIELD = re.compile(r"(missing required|unknown) field `(?P<name>[^`]*)`")
# Parts of msgspec's messages and the error code of each; the first match counts.
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
    """The decoded rows of a batch and the errors of the rows that could not be decoded.

    `row_numbers[i]` is the position of `rows[i]` in the caller's list, counted from 0.
    """

    rows: Sequence[T]
    row_numbers: Sequence[int]
    rejected: Sequence[RowError]

    def __len__(self) -> int:
        return len({*self.row_numbers, *(error.row for error in self.rejected)})


def read_body(
    request: HttpRequest, *, max_bytes: int, media_types: tuple[str, ...] = ("application/json",)
) -> bytes:
    """Returns the body.

    Args:
        request: The request, whose body has not been read.
        max_bytes: The size limit. A larger Content-Length is refused before anything is read.
        media_types: The accepted content types.

    Raises:
        LengthRequired: There is no valid Content-Length.
        MalformedBody: The body is empty.
        UnsupportedMediaType: The content type or content encoding is not accepted.
        TooLarge: The body is larger than `max_bytes`.
    """
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired()
    try:
        content_length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError as error:
        raise LengthRequired() from error
    if content_length == 0:
        raise MalformedBody("The body is empty.")
    if get_media_type(request) not in media_types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(media_types)}.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body uncompressed.")
    too_large = TooLarge(f"The body is larger than {max_bytes // KIB} KiB.")
    if content_length > max_bytes:
        raise too_large
    # One byte more than allowed shows that a body is longer than its Content-Length says.
    content = bytes(request.read(max_bytes + 1))
    if len(content) > max_bytes:
        raise too_large
    return content


def get_media_type(request: HttpRequest) -> str:
    """Returns the content type without its parameters, in lower case; empty if there is no header."""
    return str(request.META.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


def decode_body(content: bytes, data_type: type[T]) -> T:
    """Decodes one JSON value. Raises MalformedBody, or Invalid with a pointer to the first wrong field."""
    _require_unique_keys(content)
    return _decode_json(content, data_type)


def decode_batch(
    content: bytes, data_type: type[T], *, name: str, max_rows: int = MAX_ROWS
) -> DecodedBatch[T]:
    """Decodes `{name: [row, ...]}`. Invalid rows are reported in `rejected`, the others are returned.

    If a key occurs twice in a row, its last value is used: detecting duplicates takes longer than decoding.

    Args:
        content: The body.
        data_type: The type of a row.
        name: The name of the list.
        max_rows: The maximum length of the list.

    Raises:
        MalformedBody: The body is not JSON in UTF-8.
        Invalid: The body is not an object with this one list.
        TooLarge: The list is longer than `max_rows`.
    """
    _require_utf8(content)
    strict, raw, row = _build_batch_decoders(cast("Hashable", data_type), name)
    # One pass of the strict decoder is several times faster than a pass for each row, and most batches are valid.
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
    """Splits a message of msgspec into a JSON pointer, an error code and a sentence."""
    path_match = _PATH.search(message)
    sentence = message
    steps: list[str] = []
    if path_match:
        sentence = message[: path_match.start()]
        steps = [name or index for name, index in _PATH_STEP.findall(path_match["path"])]
    field_match = _NAMED_FIELD.search(sentence)
    if field_match:
        steps.append(field_match["name"])
    return FieldError(_build_pointer(steps), _classify_error(sentence), f"{sentence}.")


def _build_pointer(steps: Sequence[str]) -> str:
    """Builds a JSON pointer (RFC 6901): `~` and `/` inside a name are escaped."""
    pointer = ""
    for step in steps:
        # msgspec writes "..." for the key or index of any element of a mapping.
        if step != "...":
            pointer += "/" + step.replace("~", "~0").replace("/", "~1")
    return pointer


def _classify_error(sentence: str) -> str:
    for words, code in _ERROR_CODES:
        if words in sentence:
            return code
    return "type"


def _require_utf8(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody() from error


def _require_max_rows(count: int, max_rows: int) -> None:
    if count > max_rows:
        raise TooLarge(f"A batch holds at most {max_rows} rows.")


def _require_unique_keys(content: bytes) -> None:
    """Raises MalformedBody for a repeated key: JSON parsers differ in which value they keep."""
    try:
        json.loads(content, object_pairs_hook=_reject_duplicate_keys)
    except _DuplicateKeyError as error:
        raise MalformedBody("A key is repeated inside one object.") from error
    except (ValueError, RecursionError):
        # The decoder that runs next reports every other error of the text.
        return


class _DuplicateKeyError(Exception):
    pass


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _DuplicateKeyError
