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

from tenants.data.video_files import CONTAINERS, Container
from tenants.errors import Invalid, QuotaExceeded, TooLarge

MIB = 1024 * 1024
MAX_BYTES = 32 * MIB
MAX_SIDE = 4_096
# Half a minute at 30 frames a second, and as much of it as can be decoded in a few seconds.
MOST_FRAMES, MOST_PIXELS = 900, 2_000_000_000
CPU_SECONDS, DEADLINE_SECONDS = 15, 25
# The largest frames with all that H.264 may refer to take 510 MiB.
MEMORY = 1024 * MIB
TYPES = tuple(CONTAINERS)
CODINGS = ("h264", "hevc", "mpeg4", "vp8", "vp9")
_READER = Path(__file__).with_name("video_reader.py")
# The reader says the same; it imports nothing of ours, and what decodes must not be imported here.
_MAGIC, _HEAD = b"film", struct.Struct("<4sBHH")
_READ, _TOO_MANY_PIXELS, _UNKNOWN_CODING, _BROKEN = 0, 3, 4, 5


def key_frames(content: bytes, content_type: str, *, count: int, side: int) -> list[Image.Image]:
    """RGB, at most `count` of one size, evenly chosen, at most `side` wide and high.

    Raises TooLarge, Invalid for what is no such video, and QuotaExceeded while another one is read on this machine."""
    if len(content) > MAX_BYTES:
        raise TooLarge(f"A video has at most {MAX_BYTES // MIB} MiB.")
    container = CONTAINERS[content_type]
    _require_kind(content, container)
    if not container.is_whole(content):
        raise _broken()
    return _images(_decoded(content, container, count=count, side=side), count=count, side=side)


def _require_kind(content: bytes, said: Container) -> None:
    found = next((one for one in CONTAINERS.values() if one.begins(content)), None)
    if found is None:
        raise Invalid.at("", "unsupported_image", "This is no MP4 or WebM video.")
    if found != said:
        raise Invalid.at(
            "", "other_image_type", f"The Content-Type says {said.name}, the video is {found.name}."
        )


def _decoded(content: bytes, container: Container, *, count: int, side: int) -> bytes:
    """What the reader wrote, as it wrote it: nothing of it is true before it is looked at."""
    with _alone(), _in_memory() as source, _in_memory() as result:
        source.write(content)
        source.flush()
        _require_read(_status(source, result, container, count=count, side=side))
        result.seek(0)
        return result.read(_HEAD.size + count * side * side * 3 + 1)


@contextmanager
def _alone() -> Iterator[None]:
    """One video at a time on a machine: slow ones hold one web process, never all of them."""
    with _READER.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise QuotaExceeded(
                "Another video is being read; send this one again.", retry_after_seconds=2
            ) from busy
        yield


@contextmanager
def _in_memory() -> Iterator[BinaryIO]:
    """A file without a name: a client's video is never on a disk, and nothing is left to be removed."""
    with os.fdopen(os.memfd_create("video"), "w+b") as file:
        yield file


def _status(source: BinaryIO, result: BinaryIO, container: Container, *, count: int, side: int) -> int:
    order = (count, side, MAX_SIDE, MOST_FRAMES, MOST_PIXELS, CPU_SECONDS, MEMORY)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-B", str(_READER), *map(str, order)],
            stdin=source,
            stdout=result,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(container),
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU
    return done.returncode


def _environment(container: Container) -> dict[str, str]:
    """Nothing of ours: settings are secrets. FFmpeg reads one container, and no address for whatever it finds in there."""
    options = {
        "input_format": container.demuxer,
        "format_whitelist": container.demuxer,
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(CODINGS),
    }
    return {
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": "|".join(f"{name};{value}" for name, value in options.items()),
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
    }


def _require_read(status: int) -> None:
    if status == _READ:
        return
    if status == _TOO_MANY_PIXELS:
        raise Invalid.at("", "too_many_pixels", f"A video has at most {MAX_SIDE:,} pixels on a side.")
    if status == _UNKNOWN_CODING:
        raise Invalid.at("", "unsupported_image", "Send a video coded as H.264, H.265, MPEG-4, VP8 or VP9.")
    if status == -signal.SIGXCPU:
        raise Invalid.at(
            "", "slow_video", "The video takes too long to decode; send a shorter or smaller one."
        )
    if status == _BROKEN or status < 0:
        raise _broken()
    raise RuntimeError(f"The reader of videos does not start: status {status}.")


def _images(output: bytes, *, count: int, side: int) -> list[Image.Image]:
    if len(output) < _HEAD.size:
        raise _broken()
    magic, frames, width, height = _HEAD.unpack_from(output)
    size = width * height * 3
    is_sound = magic == _MAGIC and 1 <= frames <= count and 1 <= width <= side and 1 <= height <= side
    if not is_sound or len(output) != _HEAD.size + frames * size:
        raise _broken()
    starts = range(_HEAD.size, len(output), size)
    return [Image.frombytes("RGB", (width, height), output[at : at + size]) for at in starts]


def _broken() -> Invalid:
    return Invalid.at("", "broken_image", "The video is damaged or cut short.")
