"""What kind of video file these bytes are, and whether the file is whole: its outermost boxes only, nothing is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_BOXES = 20_000
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# The element DocType, whose length may be written with one byte or with eight.
_WEBM = re.compile(rb"\x42\x82(?:\x84|\x01\x00{6}\x04)webm")
_HEADER_BYTES = 128


@dataclass(frozen=True, slots=True)
class VideoContainer:
    """`demuxer` is FFmpeg's name for what reads it; `is_whole` answers for bytes that `begins` knows."""

    name: str
    demuxer: str
    has_signature: Callable[[bytes], bool]
    is_whole: Callable[[bytes], bool]


def _is_mp4(content: bytes) -> bool:
    return content[4:8] == b"ftyp"


def _is_whole_mp4(content: bytes) -> bool:
    """ISO/IEC 14496-12, 4.2: boxes follow one another to the end, and one of them is the index."""
    at, has_index = 0, False
    for _ in range(MAX_BOXES):
        size = _read_box_size(content, at)
        has_index = has_index or content[at + 4 : at + 8] == b"moov"
        if size < 8 or at + size > len(content):
            return False
        at += size
        if at == len(content):
            return has_index
    return False


def _read_box_size(content: bytes, offset: int) -> int:
    size = int.from_bytes(content[offset : offset + 4], "big")
    if size == 0:
        return len(content) - offset
    return int.from_bytes(content[offset + 8 : offset + 16], "big") if size == 1 else size


def _is_webm(content: bytes) -> bool:
    return content.startswith(_EBML) and _WEBM.search(content[:_HEADER_BYTES]) is not None


def _is_whole_webm(content: bytes) -> bool:
    """RFC 8794, 6 and 7: a header, then a segment of a stated length, or of an unknown one: a recording that was not edited."""
    header, at = _read_length(content, len(_EBML))
    if header is None or content[at + header : at + header + 4] != _SEGMENT:
        return False
    segment, at = _read_length(content, at + header + 4)
    return segment is None or at + segment <= len(content)


def _read_length(content: bytes, offset: int) -> tuple[int | None, int]:
    """A length of one to eight bytes, None for unknown, and where it ends."""
    width = 9 - int.from_bytes(content[offset : offset + 1], "big").bit_length()
    unknown = (1 << 7 * width) - 1
    value = int.from_bytes(content[offset : offset + width], "big") & unknown
    return None if value == unknown else value, offset + width


CONTAINERS = {
    "video/mp4": VideoContainer("MP4", "mov", _is_mp4, _is_whole_mp4),
    "video/webm": VideoContainer("WebM", "webm", _is_webm, _is_whole_webm),
}
