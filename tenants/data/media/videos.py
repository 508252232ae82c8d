"""Frames of an uploaded video: decoded by a short-lived process without rights (`video_reader`), never by this one."""

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
# Half a minute at 30 frames a second, and as much of it as can be decoded in a few seconds.
MAX_FRAMES, MAX_PIXELS = 900, 2_000_000_000
CPU_SECONDS, DEADLINE_SECONDS = 15, 25
# The largest frames with all that H.264 may refer to take 510 MiB.
MEMORY_BYTES = 1024 * MIB
CONTENT_TYPES = tuple(CONTAINERS)
CODECS = ("h264", "hevc", "mpeg4", "vp8", "vp9")
_DECODER_PATH = Path(__file__).with_name("video_decoder.py")
# The reader says the same; it imports nothing of ours, and what decodes must not be imported here.
_MAGIC, _HEADER = b"film", struct.Struct("<4sBHH")
_DECODED, _TOO_MANY_PIXELS, _UNKNOWN_CODEC, _BROKEN = 0, 3, 4, 5


def extract_key_frames(content: bytes, content_type: str, *, count: int, side: int) -> list[Image.Image]:
    """RGB, at most `count` of one size, evenly chosen, at most `side` wide and high.

    Raises TooLarge, Invalid for what is no such video, and QuotaExceeded while another one is read on this machine."""
    if len(content) > MAX_BYTES:
        raise TooLarge(f"A video has at most {MAX_BYTES // MIB} MiB.")
    container = CONTAINERS[content_type]
    _require_container(content, container)
    if not container.is_whole(content):
        raise _build_broken_error()
    return _parse_frames(_decode_frames(content, container, count=count, side=side), count=count, side=side)


def _require_container(content: bytes, declared: VideoContainer) -> None:
    found = next((one for one in CONTAINERS.values() if one.has_signature(content)), None)
    if found is None:
        raise Invalid.from_field("", "unsupported_image", "This is no MP4 or WebM video.")
    if found != declared:
        raise Invalid.from_field(
            "", "image_type_mismatch", f"The Content-Type says {declared.name}, the video is {found.name}."
        )


def _decode_frames(content: bytes, container: VideoContainer, *, count: int, side: int) -> bytes:
    """What the reader wrote, as it wrote it: nothing of it is true before it is looked at."""
    with _acquire_decoder_lock(), _open_memory_file() as source, _open_memory_file() as result:
        source.write(content)
        source.flush()
        _raise_for_status(_run_decoder(source, result, container, count=count, side=side))
        result.seek(0)
        return result.read(_HEADER.size + count * side * side * 3 + 1)


@contextmanager
def _acquire_decoder_lock() -> Iterator[None]:
    """One video at a time on a machine: slow ones hold one web process, never all of them."""
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
    """A file without a name: a client's video is never on a disk, and nothing is left to be removed."""
    with os.fdopen(os.memfd_create("video"), "w+b") as file:
        yield file


def _run_decoder(
    source: BinaryIO, result: BinaryIO, container: VideoContainer, *, count: int, side: int
) -> int:
    order = (count, side, MAX_SIDE, MAX_FRAMES, MAX_PIXELS, CPU_SECONDS, MEMORY_BYTES)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-B", str(_DECODER_PATH), *map(str, order)],
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
    return done.returncode


def _build_environment(container: VideoContainer) -> dict[str, str]:
    """Nothing of ours: settings are secrets. FFmpeg reads one container, and no address for whatever it finds in there."""
    options = {
        "input_format": container.demuxer,
        "format_whitelist": container.demuxer,
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(CODECS),
    }
    return {
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": "|".join(f"{name};{value}" for name, value in options.items()),
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
    }


def _raise_for_status(status: int) -> None:
    if status == _DECODED:
        return
    if status == _TOO_MANY_PIXELS:
        raise Invalid.from_field("", "too_many_pixels", f"A video has at most {MAX_SIDE:,} pixels on a side.")
    if status == _UNKNOWN_CODEC:
        raise Invalid.from_field(
            "", "unsupported_image", "Send a video coded as H.264, H.265, MPEG-4, VP8 or VP9."
        )
    if status == -signal.SIGXCPU:
        raise Invalid.from_field(
            "", "slow_video", "The video takes too long to decode; send a shorter or smaller one."
        )
    if status == _BROKEN or status < 0:
        raise _build_broken_error()
    raise RuntimeError(f"The reader of videos does not start: status {status}.")


def _parse_frames(output: bytes, *, count: int, side: int) -> list[Image.Image]:
    if len(output) < _HEADER.size:
        raise _build_broken_error()
    magic, frames, width, height = _HEADER.unpack_from(output)
    size = width * height * 3
    is_sound = magic == _MAGIC and 1 <= frames <= count and 1 <= width <= side and 1 <= height <= side
    if not is_sound or len(output) != _HEADER.size + frames * size:
        raise _build_broken_error()
    starts = range(_HEADER.size, len(output), size)
    return [Image.frombytes("RGB", (width, height), output[at : at + size]) for at in starts]


def _build_broken_error() -> Invalid:
    return Invalid.from_field("", "broken_image", "The video is damaged or cut short.")
