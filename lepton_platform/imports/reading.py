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

Row = Mapping[str, Any] | str
SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
MAX_LINE = 1_000_000


def rows(name: str, stream: BinaryIO) -> Iterator[tuple[int, Row]]:
    """(number, row): a mapping by column, or the text of a JSON line. Numbers are those of an editor: lines from 1.

    `stream` is seekable. Text is UTF-8, with or without a mark, else GB18030. Raises Invalid for a file that can't
    be read at all.
    """
    lowered = name.lower()
    if lowered.endswith(".parquet"):
        return _parquet(stream)
    if lowered.endswith((".jsonl", ".ndjson")):
        return _lines(_text(stream))
    if lowered.endswith((".csv", ".tsv", ".txt")):
        return _csv(_text(stream))
    raise Invalid.at("/file", "unsupported_file", "Send a CSV, TSV, JSONL or Parquet file.")


def _text(stream: BinaryIO) -> io.TextIOWrapper:
    encoding = "utf-8-sig" if _is(stream, "utf-8") else "gb18030" if _is(stream, "gb18030") else ""
    if not encoding:
        raise Invalid.at("/file", "unreadable", "The file is neither UTF-8 nor GB18030.")
    return io.TextIOWrapper(stream, encoding=encoding, newline="")


def _is(stream: BinaryIO, encoding: str) -> bool:
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


def _lines(text: io.TextIOWrapper) -> Iterator[tuple[int, Row]]:
    number = 0
    with text:
        while line := text.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                detail = f"Line {number} has more than {MAX_LINE} characters."
                raise Invalid.at("/file", "line_too_long", detail)
            if line.strip():
                yield number, line


def _csv(text: io.TextIOWrapper) -> Iterator[tuple[int, Row]]:
    with text:
        head = text.readline(MAX_LINE)
        text.seek(0)
        reader = csv.DictReader(text, delimiter=max(",;\t", key=head.count))
        if not reader.fieldnames:
            raise Invalid.at("/file", "empty", "The file is empty; its first line must name the columns.")
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            detail = f"Line {reader.line_num} is not CSV: {error}."
            raise Invalid.at("/file", "unreadable", detail) from error


def _parquet(stream: BinaryIO) -> Iterator[tuple[int, Row]]:
    number = 0
    try:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=5_000):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError) as error:
        raise Invalid.at("/file", "unreadable", "This is not a readable Parquet file.") from error
