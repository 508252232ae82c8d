"""Videos made for tests: frame n of a clip is one grey, a little brighter than the one before."""

from __future__ import annotations

import struct
import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np

CODINGS = {"mpeg4.mp4": "mp4v", "vp8.webm": "VP80", "vp9.webm": "VP90"}
_NOT_READ = {"jpeg.mp4": "mjpg"}
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
            path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*{**CODINGS, **_NOT_READ}[kind]), 30, (width, height)
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
    """A WebM whose header and whose key frames state that size."""
    sides = (256, 256), (width, height)
    content = make_clip("vp8.webm", width=256, height=256)
    for form in ("<3s2H", ">2sHsBH"):
        true, said = (struct.pack(form, *_build_size_fields(form, *one)) for one in sides)
        content = content.replace(true, said)
    return content


def _build_size_fields(form: str, width: int, height: int) -> tuple[bytes | int, ...]:
    """VP8 states it after its start code, WebM in two elements."""
    return (b"\x9d\x01\x2a", width, height) if form[0] == "<" else (b"\xb0\x82", width, b"\xba", 0x82, height)


def rotate_by_quarter_turn(content: bytes) -> bytes:
    """As telephones write a video that was taken upright: the matrix of the track says so."""
    straight, turned = (struct.pack(">9i", *(n << 16 if p % 3 < 2 else n << 30 for p, n in enumerate(m)))
                        for m in ((1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 1, 0, -1, 0, 0, 0, 0, 1)))  # fmt: skip
    track = content.index(b"tkhd")
    return content[:track] + content[track:].replace(straight, turned, 1)
