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
def check_resources() -> Iterator[None]:
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


def get_rejection_code() -> str:
    with pytest.raises(Invalid) as rejection:
        reencode_image(make_clip(), MP4)
    return rejection.value.errors[0].code


def test_a_decoder_that_exceeds_the_deadline_is_killed(
    fake_decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "DEADLINE_SECONDS", 0.5)
    fake_decoder("import time\ntime.sleep(60)")
    start = time.monotonic()
    assert get_rejection_code() == "slow_video"
    assert time.monotonic() - start < 5


def test_a_decoder_that_exceeds_its_cpu_time_is_killed(fake_decoder: FakeDecoder) -> None:
    fake_decoder(READY + "while True: pass")
    start = time.monotonic()
    assert get_rejection_code() == "slow_video"
    assert time.monotonic() - start < 10


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
    assert get_rejection_code() == "broken_image"
    killer.join()


def test_a_decoder_that_does_not_start_is_an_internal_error(fake_decoder: FakeDecoder) -> None:
    fake_decoder("import a_module_that_is_not_installed")
    with pytest.raises(RuntimeError, match="status 1"):
        reencode_image(make_clip(), MP4)


def build_output(magic: bytes, frames: int, width: int, height: int, pixels: int) -> bytes:
    return struct.pack("<4sBHH", magic, frames, width, height) + bytes(pixels)


INVALID_OUTPUTS = {
    "nothing": b"",
    "half a head": b"film\x01",
    "another magic": build_output(b"lmif", 1, 2, 2, 12),
    "no frame": build_output(b"film", 0, 2, 2, 0),
    "five frames": build_output(b"film", 5, 2, 2, 60),
    "no width": build_output(b"film", 1, 0, 2, 0),
    "too wide": build_output(b"film", 1, MAX_STORED_SIDE + 1, 1, 3 * (MAX_STORED_SIDE + 1)),
    "a side of 65,535": build_output(b"film", 4, 65_535, 65_535, 64),
    "a byte too few": build_output(b"film", 1, 2, 2, 11),
    "a byte too many": build_output(b"film", 1, 2, 2, 13),
}


@pytest.mark.parametrize("output", INVALID_OUTPUTS.values(), ids=list(INVALID_OUTPUTS))
def test_invalid_output_of_the_decoder_is_rejected(output: bytes, fake_decoder: FakeDecoder) -> None:
    fake_decoder(f"import sys\nsys.stdout.buffer.write({output!r})")
    assert get_rejection_code() == "broken_image"


def test_the_decoder_gets_none_of_the_settings(
    fake_decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_SECRET_KEY", "a secret")
    fake_decoder("import os, sys\nsys.exit(3 if 'LEPTON_SECRET_KEY' in os.environ else 5)")
    assert get_rejection_code() == "broken_image"


def run_attempt(code: str, folder: Path) -> int:
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
    assert run_attempt(attempt, tmp_path) == 7


def test_the_decoder_can_write_output_and_allocate_memory(tmp_path: Path) -> None:
    assert run_attempt("os.write(1, bytes(1000)); bytearray(2**28)", tmp_path) == 0


def test_a_list_of_files_opens_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the signature were not checked and FFmpeg recognised the playlist."""
    clip, listing = tmp_path / "film.mp4", tmp_path / "listing.txt"
    clip.write_bytes(make_clip())
    listing.write_text(f"ffconcat version 1.0\nfile '{clip}'\n")
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "input_format;concat|safe;0")
    unrestricted_capture = cv2.VideoCapture(str(listing), cv2.CAP_FFMPEG)
    assert unrestricted_capture.read()[0]
    unrestricted_capture.release()
    permissive_container = replace(
        CONTAINERS[MP4], demuxer="concat|safe;0", has_signature=lambda _: True, is_whole=lambda _: True
    )
    monkeypatch.setitem(CONTAINERS, MP4, permissive_container)
    with pytest.raises(Invalid) as rejection:
        reencode_image(listing.read_bytes(), MP4)
    assert rejection.value.errors[0].code == "broken_image"


def test_a_concurrent_video_is_refused_with_retry() -> None:
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
