"""Detection of video container formats and of truncated files. Only the outermost boxes are parsed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_BOXES = 20_000
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# The EBML element DocType with the value "webm"; its length may be written in one byte or in eight.
_WEBM = re.compile(rb"\x42\x82(?:\x84|\x01\x00{6}\x04)webm")
_HEADER_BYTES = 128


@dataclass(frozen=True, slots=True)
class VideoContainer:
    """A container format.

    Attributes:
        name: Name in messages.
        demuxer: FFmpeg's name of the demuxer.
        has_signature: Whether a file begins like this format.
        is_whole: Whether a file with this signature is complete.
    """

    name: str
    demuxer: str
    has_signature: Callable[[bytes], bool]
    is_whole: Callable[[bytes], bool]


def _is_mp4(content: bytes) -> bool:
    return content[4:8] == b"ftyp"


def _is_whole_mp4(content: bytes) -> bool:
    """Checks that boxes follow one another up to the end and one of them is the index (ISO/IEC 14496-12, 4.2)."""
    offset = 0
    has_index = False
    for _ in range(MAX_BOXES):
        size = _read_box_size(content, offset)
        box_type = content[offset + 4 : offset + 8]
        if box_type == b"moov":
            has_index = True
        if size < 8 or offset + size > len(content):
            return False
        offset += size
        if offset == len(content):
            return has_index
    return False


def _read_box_size(content: bytes, offset: int) -> int:
    size = int.from_bytes(content[offset : offset + 4], "big")
    if size == 0:
        # The box extends to the end of the file.
        return len(content) - offset
    if size == 1:
        # A 64-bit size follows the type.
        return int.from_bytes(content[offset + 8 : offset + 16], "big")
    return size


def _is_webm(content: bytes) -> bool:
    return content.startswith(_EBML) and _WEBM.search(content[:_HEADER_BYTES]) is not None


def _is_whole_webm(content: bytes) -> bool:
    """Checks for a header and a complete segment (RFC 8794, 6 and 7).

    A segment of unknown length, as live recordings have, can't be checked and counts as complete.
    """
    header_length, header_start = _read_length(content, len(_EBML))
    if header_length is None:
        return False
    segment_offset = header_start + header_length
    if content[segment_offset : segment_offset + 4] != _SEGMENT:
        return False
    segment_length, segment_start = _read_length(content, segment_offset + 4)
    if segment_length is None:
        return True
    return segment_start + segment_length <= len(content)


def _read_length(content: bytes, offset: int) -> tuple[int | None, int]:
    """Reads a variable-size integer of one to eight bytes (RFC 8794, 4). Returns (value or None, end offset)."""
    # The number of leading zero bits of the first byte gives the width; each byte carries seven bits of the value.
    width = 9 - int.from_bytes(content[offset : offset + 1], "big").bit_length()
    value_mask = (1 << 7 * width) - 1
    value = int.from_bytes(content[offset : offset + width], "big") & value_mask
    end = offset + width
    # All value bits set means "unknown length".
    if value == value_mask:
        return None, end
    return value, end


CONTAINERS = {
    "video/mp4": VideoContainer("MP4", "mov", _is_mp4, _is_whole_mp4),
    "video/webm": VideoContainer("WebM", "webm", _is_webm, _is_whole_webm),
}
