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
    """Yields (number, row) in bounded memory.

    A row is a mapping by column name, or the text of a JSON line. Numbers are line numbers as an editor shows them;
    for Parquet they count rows from 1. Text is UTF-8 with or without a byte order mark, else GB18030.

    Args:
        name: file name; its suffix states the format.
        stream: the file, seekable.

    Raises:
        Invalid: the file can't be read, found before or during the iteration.
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
    # The order matters: almost every UTF-8 text is valid GB18030 too, but not the other way round.
    if _is_encoded_as(stream, "utf-8"):
        encoding = "utf-8-sig"
    elif _is_encoded_as(stream, "gb18030"):
        encoding = "gb18030"
    else:
        raise Invalid.from_field("/file", "unreadable", "The file is neither UTF-8 nor GB18030.")
    return io.TextIOWrapper(stream, encoding=encoding, newline="")


def _is_encoded_as(stream: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := stream.read(1 << 20):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        stream.seek(0)
    return True


def _read_json_lines(text: io.TextIOWrapper) -> Iterator[tuple[int, FileRow]]:
    number = 0
    with text:
        # A bounded readline: a file without line breaks must not be read into memory whole.
        while line := text.readline(MAX_LINE_CHARS):
            number += 1
            if len(line) == MAX_LINE_CHARS:
                detail = f"Line {number} has more than {MAX_LINE_CHARS} characters."
                raise Invalid.from_field("/file", "line_too_long", detail)
            if line.strip():
                yield number, line


def _read_csv(text: io.TextIOWrapper) -> Iterator[tuple[int, FileRow]]:
    with text:
        header = text.readline(MAX_LINE_CHARS)
        text.seek(0)
        reader = csv.DictReader(text, delimiter=max(",;\t", key=header.count))
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
