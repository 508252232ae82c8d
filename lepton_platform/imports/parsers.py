"""Rows of CSV, TSV, JSON lines and Parquet files, in bounded memory."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tenants.errors import Invalid

FileRow = Mapping[str, Any] | str
SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
MAX_LINE_CHARS = 1_000_000


def read_rows(name: str, stream: BinaryIO) -> Iterator[tuple[int, FileRow]]:
    """(number, row): a mapping by column, or the text of a JSON line. Numbers are those of an editor: lines from 1.

    `stream` is seekable. Text is UTF-8, with or without a mark, else GB18030. Raises Invalid for a file that can't
    be read at all.
    """
    lowered = name.lower()
    if lowered.endswith(".parquet"):
        return _read_parquet(stream)
    if lowered.endswith((".jsonl", ".ndjson")):
        return _read_json_lines(_open_text(stream))
    if lowered.endswith((".csv", ".tsv", ".txt")):
        return _read_csv(_open_text(stream))
    raise Invalid.from_field("/file", "unsupported_file", "Send a CSV, TSV, JSONL or Parquet file.")


def _open_text(stream: BinaryIO) -> io.TextIOWrapper:
    encoding = (
        "utf-8-sig"
        if _is_encoded_as(stream, "utf-8")
        else "gb18030"
        if _is_encoded_as(stream, "gb18030")
        else ""
    )
    if not encoding:
        raise Invalid.from_field("/file", "unreadable", "The file is neither UTF-8 nor GB18030.")
    return io.TextIOWrapper(stream, encoding=encoding, newline="")


def _is_encoded_as(stream: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while part := stream.read(1 << 20):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        stream.seek(0)
    return True


def _read_json_lines(text: io.TextIOWrapper) -> Iterator[tuple[int, FileRow]]:
    number = 0
    with text:
        while line := text.readline(MAX_LINE_CHARS):
            number += 1
            if len(line) == MAX_LINE_CHARS:
                detail = f"Line {number} has more than {MAX_LINE_CHARS} characters."
                raise Invalid.from_field("/file", "line_too_long", detail)
            if line.strip():
                yield number, line


def _read_csv(text: io.TextIOWrapper) -> Iterator[tuple[int, FileRow]]:
    with text:
        head = text.readline(MAX_LINE_CHARS)
        text.seek(0)
        reader = csv.DictReader(text, delimiter=max(",;\t", key=head.count))
        if not reader.fieldnames:
            raise Invalid.from_field(
                "/file", "empty", "The file is empty; its first line must name the columns."
            )
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            detail = f"Line {reader.line_num} is not CSV: {error}."
            raise Invalid.from_field("/file", "unreadable", detail) from error


def _read_parquet(stream: BinaryIO) -> Iterator[tuple[int, FileRow]]:
    number = 0
    try:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=5_000):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError) as error:
        raise Invalid.from_field("/file", "unreadable", "This is not a readable Parquet file.") from error
