"""The video decoder: a separate program that `videos` starts, sandboxed, for untrusted videos.

Standard input is the video, a seekable file. Standard output has these fields, little-endian: magic (4 bytes, b"film"),
number of frames (1 byte), width, height (2 bytes each), then the frames as RGB, row by row. The arguments are the fields of
DecoderLimits. The program imports nothing of this project and is not imported by it.
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
# Exit statuses; `videos` has a copy.
DECODED, TOO_MANY_PIXELS, UNKNOWN_CODEC, BROKEN = 0, 3, 4, 5
# OpenCV's names of the codecs FFmpeg detects: H.264, H.265, MPEG-4, VP8, VP9.
CODECS = frozenset({b"h264", b"hevc", b"FMP4", b"VP80", b"VP90"})
NOBODY_ID = 65_534
Pixels = NDArray[np.uint8]


class VideoDecodeError(Exception):
    """The video can't be decoded; `status` becomes the exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Limits, in the order of the program's arguments. `max_pixels` is the total of all decoded frames."""

    n_frames: int
    output_side: int
    max_side: int
    max_frames: int
    max_pixels: int
    cpu_seconds: int
    memory_bytes: int


def drop_privileges(decoder_limits: DecoderLimits) -> None:
    """Applies resource limits and gives up root: no file, socket or process can be opened or started afterwards."""
    output = HEADER.size + decoder_limits.n_frames * decoder_limits.output_side**2 * 3
    limits = {
        # The soft limit sends SIGXCPU, by which the parent recognises the reason; the hard limit kills.
        resource.RLIMIT_CPU: (decoder_limits.cpu_seconds, decoder_limits.cpu_seconds + 1),
        resource.RLIMIT_AS: (decoder_limits.memory_bytes, decoder_limits.memory_bytes),
        resource.RLIMIT_FSIZE: (output, output),
        resource.RLIMIT_NOFILE: (3, 3),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
    for limit, (soft, hard) in limits.items():
        # A hard limit can only be lowered. RLIM_INFINITY is -1; modulo 2**64 it is the largest number.
        allowed = resource.getrlimit(limit)[1] % 2**64
        resource.setrlimit(limit, (min(soft, allowed), min(hard, allowed)))
    if os.geteuid() == 0:
        # Fails in a user namespace with a single user; its root has no rights outside the namespace.
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY_ID)
            os.setuid(NOBODY_ID)


def open_capture(source: BufferedReader, decoder_limits: DecoderLimits) -> cv2.VideoCapture:
    """Opens the video from its start. Raises VideoDecodeError for other codecs, too large frames and damaged files."""
    source.seek(0)
    # OpenCV's stubs accept only its own stream class, but any io.BufferedIOBase works.
    stream = cast("Any", source)
    capture = cv2.VideoCapture(stream, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise VideoDecodeError(BROKEN)
    fourcc = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFF_FFFF
    if fourcc.to_bytes(4, "little") not in CODECS:
        raise VideoDecodeError(UNKNOWN_CODEC)
    if max(get_frame_size(capture)) > decoder_limits.max_side:
        raise VideoDecodeError(TOO_MANY_PIXELS)
    return capture


def get_frame_size(capture: cv2.VideoCapture) -> tuple[int, int]:
    """Returns width and height of the video's frames."""
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    return width, height


def count_frames(source: BufferedReader, decoder_limits: DecoderLimits) -> int:
    """Counts the frames up to the limits. The count in the header is not trusted."""
    capture = open_capture(source, decoder_limits)
    width, height = get_frame_size(capture)
    max_frames = decoder_limits.max_pixels // max(1, width * height)
    max_frames = max(1, min(decoder_limits.max_frames, max_frames))
    # Format -1 returns encoded packets, so frames are counted without decoding them.
    capture.set(cv2.CAP_PROP_FORMAT, -1)
    for position in range(max_frames):
        if not capture.grab():
            return position
    return max_frames


def choose_positions(count: int, n_frames: int) -> list[int]:
    """Returns the middle positions of `n_frames` equal segments, ascending; the first and last frame are often black."""
    return sorted({count * (2 * segment + 1) // (2 * n_frames) for segment in range(n_frames)})


def read_frames(capture: cv2.VideoCapture, positions: list[int], output_side: int) -> Iterator[Pixels]:
    """Yields the frames at `positions` as RGB arrays of shape (height, width, 3); ends early at a damaged frame.

    All frames have the size of the first, at most `output_side` pixels on a side.
    """
    size = None
    # Sequential reading: seeking to a position is not exact in all containers.
    for position in range(positions[-1] + 1):
        if not capture.grab():
            return
        if position in positions:
            _read, frame = capture.retrieve()
            size = size or fit_size(frame.shape[1], frame.shape[0], output_side)
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            yield np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def fit_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Returns the size scaled down to at most `max_side` on a side; at least one pixel."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def decode_video(source: BufferedReader, decoder_limits: DecoderLimits) -> bytes:
    """Returns the program's output for the video in `source`. Raises VideoDecodeError."""
    count = count_frames(source, decoder_limits)
    positions = choose_positions(count, decoder_limits.n_frames)
    capture = open_capture(source, decoder_limits)
    frames = list(read_frames(capture, positions, decoder_limits.output_side))
    if not frames:
        raise VideoDecodeError(BROKEN)
    height, width, _colours = frames[0].shape
    header = HEADER.pack(MAGIC, len(frames), width, height)
    return header + b"".join(frame.tobytes() for frame in frames)


def main() -> int:
    """Runs the program and returns its exit status."""
    limits = DecoderLimits(*map(int, sys.argv[1:]))
    cv2.setNumThreads(1)
    drop_privileges(limits)
    try:
        output = decode_video(cast("BufferedReader", sys.stdin.buffer), limits)
    except VideoDecodeError as error:
        return error.status
    except Exception:
        # Caused by the untrusted input. Errors before this point are internal and exit with status 1.
        return BROKEN
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    return DECODED


if __name__ == "__main__":
    # Skips the interpreter's shutdown, in which an interrupted capture can hang.
    os._exit(main())
