"""Generated test videos: each frame of a clip is a uniform grey, brighter than the frame before."""

from __future__ import annotations

import struct
import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np

CODINGS = {"mpeg4.mp4": "mp4v", "vp8.webm": "VP80", "vp9.webm": "VP90"}
_UNSUPPORTED_CODINGS = {"jpeg.mp4": "mjpg"}
H264 = (Path(__file__).parent / "data" / "clips" / "h264-aac.mp4").read_bytes()


@cache
def make_clip(
    kind: str = "mpeg4.mp4",
    frames: int = 40,
    *,
    width: int = 64,
    height: int = 48,
    tint: tuple[int, ...] | None = None,
) -> bytes:
    """Frame n of N has the grey 255 * n // N, or all have `tint`, RGB; `kind` is one of CODINGS, or jpeg.mp4."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / kind)
        out = cv2.VideoWriter(
            path,
            cv2.CAP_FFMPEG,
            cv2.VideoWriter.fourcc(*{**CODINGS, **_UNSUPPORTED_CODINGS}[kind]),
            30,
            (width, height),
        )
        assert out.isOpened()
        for shade in range(frames):
            colour = tint[::-1] if tint else (shade * 255 // frames,) * 3
            out.write(np.full((height, width, 3), colour, np.uint8))
        out.release()
        return Path(path).read_bytes()


def get_media_type(kind: str) -> str:
    return f"video/{kind.rpartition('.')[2]}"


def build_box(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def make_webm_with_declared_size(width: int, height: int) -> bytes:
    """Makes a WebM whose header and key frames declare that size; its frames have 256 x 256 pixels."""
    content = make_clip("vp8.webm", width=256, height=256)
    for struct_format in ("<3s2H", ">2sHsBH"):
        actual_size = struct.pack(struct_format, *_build_size_fields(struct_format, 256, 256))
        declared_size = struct.pack(struct_format, *_build_size_fields(struct_format, width, height))
        content = content.replace(actual_size, declared_size)
    return content


def _build_size_fields(struct_format: str, width: int, height: int) -> tuple[bytes | int, ...]:
    """VP8 (little-endian) has the size after its start code, WebM (big-endian) has it in two elements."""
    if struct_format.startswith("<"):
        return b"\x9d\x01\x2a", width, height
    return b"\xb0\x82", width, b"\xba", 0x82, height


def rotate_by_quarter_turn(content: bytes) -> bytes:
    """Replaces the matrix of the track by a rotation, as telephones do for a video that was recorded upright."""
    identity = _pack_matrix((1, 0, 0, 0, 1, 0, 0, 0, 1))
    rotation = _pack_matrix((0, 1, 0, -1, 0, 0, 0, 0, 1))
    track = content.index(b"tkhd")
    return content[:track] + content[track:].replace(identity, rotation, 1)


def _pack_matrix(matrix: tuple[int, ...]) -> bytes:
    """The third column of an MP4 matrix is in 2.30 fixed point, the others in 16.16."""
    return struct.pack(
        ">9i", *(value << (30 if index % 3 == 2 else 16) for index, value in enumerate(matrix))
    )
