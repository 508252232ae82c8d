"""A program of its own, which `videos` starts: it decodes a video that nobody trusts, and can do nothing else.

The video is its standard input, a file that can be sought; standard output becomes HEAD (MAGIC, frames, width, height) and RGB, row by
row. It imports nothing of this project, and nothing of this project imports it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

MAGIC, HEADER = b"film", struct.Struct("<4sBHH")
DECODED, TOO_MANY_PIXELS, UNKNOWN_CODEC, BROKEN = 0, 3, 4, 5
# As OpenCV names what FFmpeg found, whatever the file says: H.264, H.265, MPEG-4, VP8, VP9.
CODECS = frozenset({b"h264", b"hevc", b"FMP4", b"VP80", b"VP90"})
NOBODY_ID = 65_534
Pixels = NDArray[np.uint8]


class VideoDecodeError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """In the order of the program's arguments. `memory` is in bytes, `pixels` counts those of all frames together."""

    n_frames: int
    output_side: int
    max_side: int
    max_frames: int
    max_pixels: int
    cpu_seconds: int
    memory_bytes: int


def drop_privileges(decoder_limits: DecoderLimits) -> None:
    """From here on nothing is opened and nothing is started, and time, memory and output are counted."""
    output = HEADER.size + decoder_limits.n_frames * decoder_limits.output_side**2 * 3
    limits = {
        # The first limit is a signal that says why, the second one kills.
        resource.RLIMIT_CPU: (decoder_limits.cpu_seconds, decoder_limits.cpu_seconds + 1),
        resource.RLIMIT_AS: (decoder_limits.memory_bytes, decoder_limits.memory_bytes),
        resource.RLIMIT_FSIZE: (output, output),
        resource.RLIMIT_NOFILE: (3, 3),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
    for limit, (soft, hard) in limits.items():
        # What this machine allows may be less already. Infinity is -1.
        allowed = resource.getrlimit(limit)[1] % 2**64
        resource.setrlimit(limit, (min(soft, allowed), min(hard, allowed)))
    if os.geteuid() == 0:
        # Root of a namespace with a single account cannot become another, and is nobody outside of it.
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY_ID)
            os.setuid(NOBODY_ID)


def open_capture(source: BufferedReader, decoder_limits: DecoderLimits) -> cv2.VideoCapture:
    source.seek(0)
    # The stubs know a class of OpenCV only; any io.BufferedIOBase is read.
    stream = cast("Any", source)
    capture = cv2.VideoCapture(stream, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise VideoDecodeError(BROKEN)
    coding = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFF_FFFF
    if coding.to_bytes(4, "little") not in CODECS:
        raise VideoDecodeError(UNKNOWN_CODEC)
    if max(get_frame_size(capture)) > decoder_limits.max_side:
        raise VideoDecodeError(TOO_MANY_PIXELS)
    return capture


def get_frame_size(capture: cv2.VideoCapture) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def count_frames(source: BufferedReader, decoder_limits: DecoderLimits) -> int:
    """How many frames are looked at; they are counted, not decoded: a header may say anything."""
    capture = open_capture(source, decoder_limits)
    width, height = get_frame_size(capture)
    most = max(1, min(decoder_limits.max_frames, decoder_limits.max_pixels // max(1, width * height)))
    capture.set(cv2.CAP_PROP_FORMAT, -1)
    return next((place for place in range(most) if not capture.grab()), most)


def choose_positions(count: int, n_frames: int) -> list[int]:
    """The middle of each of `wanted` equal parts: videos begin and end in black."""
    return sorted({count * (2 * part + 1) // (2 * n_frames) for part in range(n_frames)})


def read_frames(capture: cv2.VideoCapture, positions: list[int], output_side: int) -> Iterator[Pixels]:
    """RGB, all of one size, at most `kept_side` wide and high. What cannot be decoded ends the video."""
    size = None
    for place in range(positions[-1] + 1):
        if not capture.grab():
            return
        if place in positions:
            _read, frame = capture.retrieve()
            size = size or fit_size(frame.shape[1], frame.shape[0], output_side)
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            yield np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def fit_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    part = min(1.0, max_side / max(width, height))
    return max(1, round(width * part)), max(1, round(height * part))


def decode_video(source: BufferedReader, decoder_limits: DecoderLimits) -> bytes:
    chosen = choose_positions(count_frames(source, decoder_limits), decoder_limits.n_frames)
    frames = list(read_frames(open_capture(source, decoder_limits), chosen, decoder_limits.output_side))
    if not frames:
        raise VideoDecodeError(BROKEN)
    height, width, _colours = frames[0].shape
    return HEADER.pack(MAGIC, len(frames), width, height) + b"".join(frame.tobytes() for frame in frames)


def main() -> int:
    order = DecoderLimits(*map(int, sys.argv[1:]))
    cv2.setNumThreads(1)
    drop_privileges(order)
    try:
        output = decode_video(cast("BufferedReader", sys.stdin.buffer), order)
    except VideoDecodeError as refused:
        return refused.status
    except Exception:
        # Whatever hostile bytes lead to; an error before this point is one of ours and has status 1.
        return BROKEN
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    return DECODED


if __name__ == "__main__":
    # Without the interpreter's tidying up, in which a capture that was interrupted may wait.
    os._exit(main())
