"""The process that decodes a video: what it cannot do, and how its output is validated."""

from __future__ import annotations

import fcntl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import psutil
import pytest

from tenants.data.media import video_decoder, videos
from tenants.data.media.images import MAX_STORED_SIDE, reencode_image
from tenants.data.media.video_containers import CONTAINERS
from tenants.errors import Invalid, QuotaExceeded
from tests.clips import make_clip

MP4 = "video/mp4"
LIMITS = "video_decoder.DecoderLimits(4, 64, 64, 900, 10**9, 1, 2**30)"
READY = f"""
import os, socket, sys
sys.path.insert(0, {str(Path(video_decoder.__file__).parent)!r})
import video_decoder
video_decoder.drop_privileges({LIMITS})
"""
FakeDecoder = Callable[[str], None]


@pytest.fixture(autouse=True)
def no_resources_are_leaked() -> Iterator[None]:
    process = psutil.Process()
    children, files = set(process.children()), process.num_fds()
    yield
    assert set(process.children()) <= children
    assert process.num_fds() <= files


@pytest.fixture
def fake_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDecoder:
    """Runs another program instead of the decoder."""

    def install(code: str) -> None:
        path = tmp_path / "decoder.py"
        path.write_text(code)
        monkeypatch.setattr(videos, "_DECODER_PATH", path)

    return install


def rejection_code() -> str:
    with pytest.raises(Invalid) as rejection:
        reencode_image(make_clip(), MP4)
    return rejection.value.errors[0].code


def test_a_decoder_that_never_ends_is_killed(
    fake_decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "DEADLINE_SECONDS", 0.5)
    fake_decoder("import time\ntime.sleep(60)")
    began = time.monotonic()
    assert rejection_code() == "slow_video"
    assert time.monotonic() - began < 5


def test_a_decoder_that_exceeds_its_cpu_time_is_killed(fake_decoder: FakeDecoder) -> None:
    fake_decoder(READY + "while True: pass")
    began = time.monotonic()
    assert rejection_code() == "slow_video"
    assert time.monotonic() - began < 10


def test_a_decoder_that_is_killed_halfway_is_a_rejection(fake_decoder: FakeDecoder) -> None:
    # The services of the tests are children of this process, too.
    children = set(psutil.Process().children())

    def kill() -> None:
        while not (started := set(psutil.Process().children()) - children):
            time.sleep(0.01)
        started.pop().kill()

    fake_decoder("import time\ntime.sleep(60)")
    killer = threading.Thread(target=kill)
    killer.start()
    assert rejection_code() == "broken_image"
    killer.join()


def test_a_decoder_that_does_not_start_is_an_internal_error(fake_decoder: FakeDecoder) -> None:
    fake_decoder("import a_module_that_is_not_installed")
    with pytest.raises(RuntimeError, match="status 1"):
        reencode_image(make_clip(), MP4)


def output(magic: bytes, frames: int, width: int, height: int, pixels: int) -> bytes:
    return struct.pack("<4sBHH", magic, frames, width, height) + bytes(pixels)


INVALID_OUTPUTS = {
    "nothing": b"",
    "half a head": b"film\x01",
    "another magic": output(b"lmif", 1, 2, 2, 12),
    "no frame": output(b"film", 0, 2, 2, 0),
    "five frames": output(b"film", 5, 2, 2, 60),
    "no width": output(b"film", 1, 0, 2, 0),
    "too wide": output(b"film", 1, MAX_STORED_SIDE + 1, 1, 3 * (MAX_STORED_SIDE + 1)),
    "a side of 65,535": output(b"film", 4, 65_535, 65_535, 64),
    "a byte too few": output(b"film", 1, 2, 2, 11),
    "a byte too many": output(b"film", 1, 2, 2, 13),
}


@pytest.mark.parametrize("written", INVALID_OUTPUTS.values(), ids=list(INVALID_OUTPUTS))
def test_invalid_output_of_the_decoder_is_rejected(written: bytes, fake_decoder: FakeDecoder) -> None:
    fake_decoder(f"import sys\nsys.stdout.buffer.write({written!r})")
    assert rejection_code() == "broken_image"


def test_the_decoder_gets_none_of_the_settings(
    fake_decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_SECRET_KEY", "a secret")
    fake_decoder("import os, sys\nsys.exit(3 if 'LEPTON_SECRET_KEY' in os.environ else 5)")
    assert rejection_code() == "broken_image"


def ends_with(code: str, folder: Path) -> int:
    """Returns 7 if the attempt is denied, 0 if it succeeds."""
    attempt = f"try:\n    {code}\nexcept (OSError, MemoryError):\n    os._exit(7)\nos._exit(0)"
    with (folder / "output").open("wb") as out:
        return subprocess.run([sys.executable, "-c", READY + attempt], stdout=out, check=False).returncode


ATTEMPTS = {
    "open a file": "open('/etc/passwd')",
    "open its own memory": "os.open('/proc/self/mem', os.O_RDWR)",
    "connect": "socket.socket()",
    "make a pipe": "os.pipe()",
    "start a process": "os.fork() or os._exit(0)",
    "take three gigabytes": "bytearray(3 * 2**30)",
    "write on and on": "all(os.write(1, bytes(1000)) for _ in range(1000))",
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=list(ATTEMPTS))
def test_the_decoder_can_only_read_and_write_its_files(attempt: str, tmp_path: Path) -> None:
    assert ends_with(attempt, tmp_path) == 7


def test_the_decoder_can_use_what_it_needs(tmp_path: Path) -> None:
    assert ends_with("os.write(1, bytes(1000)); bytearray(2**28)", tmp_path) == 0


def test_a_list_of_files_opens_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the signature were not checked and FFmpeg recognised the playlist."""
    film, listing = tmp_path / "film.mp4", tmp_path / "listing.txt"
    film.write_bytes(make_clip())
    listing.write_text(f"ffconcat version 1.0\nfile '{film}'\n")
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "input_format;concat|safe;0")
    unguarded = cv2.VideoCapture(str(listing), cv2.CAP_FFMPEG)
    assert unguarded.read()[0]
    unguarded.release()
    unchecked = replace(
        CONTAINERS[MP4], demuxer="concat|safe;0", has_signature=lambda _: True, is_whole=lambda _: True
    )
    monkeypatch.setitem(CONTAINERS, MP4, unchecked)
    with pytest.raises(Invalid) as rejection:
        reencode_image(listing.read_bytes(), MP4)
    assert rejection.value.errors[0].code == "broken_image"


def test_a_second_video_is_asked_to_come_again() -> None:
    with Path(video_decoder.__file__).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(QuotaExceeded, match="again"):
            reencode_image(make_clip(), MP4)
    assert reencode_image(make_clip(), MP4).content_type == "image/webp"


def test_parent_and_decoder_agree_on_the_protocol() -> None:
    parent = (
        videos._MAGIC,
        videos._HEADER.format,
        videos._DECODED,
        videos._TOO_MANY_PIXELS,
        videos._UNKNOWN_CODEC,
    )
    decoder = (
        *(video_decoder.MAGIC, video_decoder.HEADER.format, video_decoder.DECODED),
        *(video_decoder.TOO_MANY_PIXELS, video_decoder.UNKNOWN_CODEC),
    )
    assert parent == decoder
    assert videos._BROKEN == video_decoder.BROKEN


@pytest.mark.parametrize(
    ("count", "positions"), [(1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (40, [5, 15, 25, 35])]
)
def test_positions_are_the_middles_of_equal_parts(count: int, positions: list[int]) -> None:
    assert video_decoder.choose_positions(count, 4) == positions
