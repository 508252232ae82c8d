"""Key frames of uploaded videos, decoded by a short-lived sandboxed process (`video_decoder`), never by this one."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from tenants.data.media.video_containers import CONTAINERS, VideoContainer
from tenants.errors import Invalid, QuotaExceeded, TooLarge

MIB = 1024 * 1024
MAX_BYTES = 32 * MIB
MAX_SIDE = 4_096
# 900 frames are half a minute at 30 frames per second; the pixels are what can be decoded in a few seconds.
MAX_FRAMES, MAX_PIXELS = 900, 2_000_000_000
CPU_SECONDS, DEADLINE_SECONDS = 15, 25
# The largest frames with all reference frames that H.264 allows take 510 MiB.
MEMORY_BYTES = 1024 * MIB
CONTENT_TYPES = tuple(CONTAINERS)
CODECS = ("h264", "hevc", "mpeg4", "vp8", "vp9")
_DECODER_PATH = Path(__file__).with_name("video_decoder.py")
# Copies of the decoder's constants: this process must not import the decoder, and so FFmpeg.
_MAGIC, _HEADER = b"film", struct.Struct("<4sBHH")
_DECODED, _TOO_MANY_PIXELS, _UNKNOWN_CODEC, _BROKEN = 0, 3, 4, 5


def extract_key_frames(
    content: bytes,
    content_type: str,
    *,
    count: int,
    side: int,
) -> list[Image.Image]:
    """Returns up to `count` evenly spaced frames as RGB images of equal size, at most `side` pixels on a side.

    Raises:
        TooLarge: The video has too many bytes.
        Invalid: It is not a video of the declared type, is damaged, too large or too slow to decode.
        QuotaExceeded: Another video is being decoded on this machine.
    """
    if len(content) > MAX_BYTES:
        raise TooLarge(f"A video has at most {MAX_BYTES // MIB} MiB.")
    container = CONTAINERS[content_type]
    _require_container(content, container)
    if not container.is_whole(content):
        raise _build_broken_error()
    output = _decode_frames(content, container, count=count, side=side)
    return _parse_frames(output, count=count, side=side)


def _require_container(content: bytes, declared: VideoContainer) -> None:
    for container in CONTAINERS.values():
        if container.has_signature(content):
            break
    else:
        raise Invalid.from_field("", "unsupported_image", "This is no MP4 or WebM video.")
    if container != declared:
        detail = f"The Content-Type says {declared.name}, the video is {container.name}."
        raise Invalid.from_field("", "image_type_mismatch", detail)


def _decode_frames(
    content: bytes,
    container: VideoContainer,
    *,
    count: int,
    side: int,
) -> bytes:
    """Runs the decoder and returns its output, which is not trusted before `_parse_frames` has validated it."""
    with _acquire_decoder_lock(), _open_memory_file() as source, _open_memory_file() as result:
        source.write(content)
        source.flush()
        _raise_for_status(
            _run_decoder(
                source,
                result,
                container,
                count=count,
                side=side,
            )
        )
        result.seek(0)
        # One byte more than the largest valid output, so that a longer one is recognised.
        return result.read(_HEADER.size + count * side * side * 3 + 1)


@contextmanager
def _acquire_decoder_lock() -> Iterator[None]:
    """Allows one video at a time per machine, so slow videos occupy one web process at most. Raises QuotaExceeded."""
    with _DECODER_PATH.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise QuotaExceeded(
                "Another video is being read; send this one again.", retry_after_seconds=2
            ) from busy
        yield


@contextmanager
def _open_memory_file() -> Iterator[BinaryIO]:
    """Opens an anonymous file in memory: a client's video is not written to disk and needs no cleaning up."""
    with os.fdopen(os.memfd_create("video"), "w+b") as file:
        yield file


def _run_decoder(
    source: BinaryIO,
    result: BinaryIO,
    container: VideoContainer,
    *,
    count: int,
    side: int,
) -> int:
    """Returns the exit status; a timeout counts as SIGXCPU."""
    limits = (count, side, MAX_SIDE, MAX_FRAMES, MAX_PIXELS, CPU_SECONDS, MEMORY_BYTES)
    # -I ignores environment variables and the user's site-packages; -B writes no bytecode.
    command = [sys.executable, "-I", "-B", str(_DECODER_PATH), *map(str, limits)]
    try:
        process = subprocess.run(
            command,
            stdin=source,
            stdout=result,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_build_environment(container),
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU
    return process.returncode


def _build_environment(container: VideoContainer) -> dict[str, str]:
    """Returns the decoder's environment: no settings of the platform, which are secrets, and FFmpeg's restrictions.

    FFmpeg may use one demuxer, the listed codecs and no protocols, so a file can't refer to other files or addresses.
    """
    options = {
        "input_format": container.demuxer,
        "format_whitelist": container.demuxer,
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(CODECS),
    }
    environment = {
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": "|".join(f"{name};{value}" for name, value in options.items()),
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    if "LD_LIBRARY_PATH" in os.environ:
        # Needed where Python or its libraries are not installed in a standard path.
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


def _raise_for_status(status: int) -> None:
    if status == _DECODED:
        return
    if status == _TOO_MANY_PIXELS:
        raise Invalid.from_field("", "too_many_pixels", f"A video has at most {MAX_SIDE:,} pixels on a side.")
    if status == _UNKNOWN_CODEC:
        detail = "Send a video coded as H.264, H.265, MPEG-4, VP8 or VP9."
        raise Invalid.from_field("", "unsupported_image", detail)
    if status == -signal.SIGXCPU:
        detail = "The video takes too long to decode; send a shorter or smaller one."
        raise Invalid.from_field("", "slow_video", detail)
    # A negative status is a signal: hostile input may crash the decoder.
    if status == _BROKEN or status < 0:
        raise _build_broken_error()
    raise RuntimeError(f"The video decoder does not start: status {status}.")


def _parse_frames(output: bytes, *, count: int, side: int) -> list[Image.Image]:
    """Validates the decoder's output and returns its frames. Raises Invalid."""
    if len(output) < _HEADER.size:
        raise _build_broken_error()
    magic, n_frames, width, height = _HEADER.unpack_from(output)
    is_valid = magic == _MAGIC and 1 <= n_frames <= count and 1 <= width <= side and 1 <= height <= side
    frame_bytes = width * height * 3
    if not is_valid or len(output) != _HEADER.size + n_frames * frame_bytes:
        raise _build_broken_error()
    frames = []
    for offset in range(_HEADER.size, len(output), frame_bytes):
        pixels = output[offset : offset + frame_bytes]
        frames.append(Image.frombytes("RGB", (width, height), pixels))
    return frames


def _build_broken_error() -> Invalid:
    return Invalid.from_field("", "broken_image", "The video is damaged or cut short.")
