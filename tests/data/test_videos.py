"""Uploaded videos become a few frames or are rejected."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tenants.data.media import videos
from tenants.data.media.images import MAX_STORED_SIDE, EncodedImage, reencode_image
from tenants.errors import Invalid, TooLarge
from tests.clips import (
    CODINGS,
    H264,
    build_box,
    get_media_type,
    make_clip,
    make_webm_with_declared_size,
    rotate_by_quarter_turn,
)

MP4 = "video/mp4"
SECRET = b"a secret place"
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


def load_frames(encoded_image: EncodedImage) -> list[Image.Image]:
    image = Image.open(io.BytesIO(encoded_image.content))
    assert Image.MIME[image.format or ""] == encoded_image.content_type
    frames = []
    for position in range(getattr(image, "n_frames", 1)):
        image.seek(position)
        frames.append(image.convert("RGB"))
    return frames


def measure_shades(encoded_image: EncodedImage) -> list[int]:
    return [int(np.asarray(frame).mean()) for frame in load_frames(encoded_image)]


def reject_video(content: bytes, media_type: str = MP4) -> Invalid:
    with pytest.raises(Invalid) as rejection:
        reencode_image(content, media_type)
    return rejection.value


@pytest.mark.parametrize("coding", CODINGS)
def test_four_frames_are_stored_from_the_middles_of_quarters(coding: str) -> None:
    encoded_image = reencode_image(make_clip(coding), get_media_type(coding))
    assert encoded_image.content_type == "image/webp"
    expected = [position * 255 // 40 for position in (5, 15, 25, 35)]
    assert np.abs(np.subtract(measure_shades(encoded_image), expected)).max() <= 8


def test_h264_with_sound_is_read() -> None:
    assert np.abs(np.subtract(measure_shades(reencode_image(H264, MP4)), [31, 95, 159, 223])).max() <= 8


@pytest.mark.parametrize(("frames", "expected_frames"), [(1, 1), (2, 2), (3, 3), (4, 4)])
def test_all_frames_of_a_short_clip_are_stored(frames: int, expected_frames: int) -> None:
    encoded_image = reencode_image(make_clip("vp9.webm", frames), "video/webm")
    assert len(load_frames(encoded_image)) == expected_frames
    assert (encoded_image.content_type == "image/jpeg") == (expected_frames == 1)


def test_colours_are_preserved() -> None:
    red, green, blue = np.asarray(
        load_frames(reencode_image(make_clip("vp8.webm", 2, tint=(200, 60, 20)), "video/webm"))[0]
    )[9, 9].tolist()
    assert np.abs(np.subtract((red, green, blue), (200, 60, 20))).max() <= 8


def test_a_large_video_is_scaled_down() -> None:
    frames = load_frames(reencode_image(make_clip(frames=2, width=1_280, height=720), MP4))
    assert {frame.size for frame in frames} == {(MAX_STORED_SIDE, MAX_STORED_SIDE * 720 // 1_280)}


def test_the_rotation_of_a_video_is_applied() -> None:
    assert {
        frame.size for frame in load_frames(reencode_image(rotate_by_quarter_turn(make_clip()), MP4))
    } == {(48, 64)}


def test_frames_after_the_first_nine_hundred_are_not_decoded() -> None:
    brightest = measure_shades(reencode_image(make_clip(frames=1_800), MP4))[-1]
    assert abs(brightest - 255 * 787 // 1_800) <= 6


def test_fewer_large_frames_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "MAX_PIXELS", 20 * 64 * 48)
    assert np.abs(np.subtract(measure_shades(reencode_image(make_clip(), MP4)), [15, 44, 79, 111])).max() <= 8


@pytest.mark.parametrize(
    "content", [H264, make_clip() + build_box(b"free", SECRET), make_clip() + build_box(b"uuid", SECRET * 2)]
)
def test_data_outside_the_frames_is_removed(content: bytes) -> None:
    assert b"secret" in content
    assert b"secret" not in reencode_image(content, MP4).content


REJECTED = {
    "nothing": (b"", MP4, "unsupported_image"),
    "garbage": (bytes(range(256)) * 40, MP4, "unsupported_image"),
    "a drawing in markup": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', MP4, "unsupported_image"),
    "a playlist": (PLAYLIST, MP4, "unsupported_image"),
    "a list of files": (b"ffconcat version 1.0\nfile /etc/hostname\n", "video/webm", "unsupported_image"),
    "a still image": (b"\x89PNG\r\n\x1a\n" + bytes(64), MP4, "unsupported_image"),
    "Matroska that is no WebM": (
        make_clip("vp8.webm").replace(b"\x84webm", b"\x84matr"),
        "video/webm",
        "unsupported_image",
    ),
    "MP4 under the name of WebM": (make_clip(), "video/webm", "image_type_mismatch"),
    "WebM under the name of MP4": (make_clip("vp8.webm"), MP4, "image_type_mismatch"),
    "a signature and no video": (build_box(b"ftyp", b"isom"), MP4, "broken_image"),
    "a signature and a playlist": (
        build_box(b"ftyp", b"isom") + build_box(b"moov", PLAYLIST),
        MP4,
        "broken_image",
    ),
    "an MP4 cut short": (make_clip()[:-200], MP4, "broken_image"),
    "an MP4 that begins with its index, cut short": (H264[:-200], MP4, "broken_image"),
    "a WebM cut short": (make_clip("vp8.webm")[:-200], "video/webm", "broken_image"),
    "many empty boxes": (build_box(b"ftyp", b"isom") + build_box(b"free") * 3_000_000, MP4, "broken_image"),
    "a coding that is not read": (make_clip("jpeg.mp4"), MP4, "unsupported_image"),
    "more pixels than are taken": (make_clip(frames=2, width=4_112, height=32), MP4, "too_many_pixels"),
    "a ribbon that stands": (make_clip(frames=2, width=32, height=4_112), MP4, "too_many_pixels"),
    "a stated size of 64 million pixels": (
        make_webm_with_declared_size(8_000, 8_000),
        "video/webm",
        "too_many_pixels",
    ),
    "a stated size of 268 million pixels": (
        make_webm_with_declared_size(16_383, 16_383),
        "video/webm",
        "broken_image",
    ),
}


@pytest.mark.parametrize(("content", "media_type", "code"), REJECTED.values(), ids=list(REJECTED))
def test_an_invalid_video_is_refused_in_one_sentence(content: bytes, media_type: str, code: str) -> None:
    rejection = reject_video(content, media_type)
    assert rejection.errors[0].code == code
    assert rejection.detail.endswith(".")


def test_too_many_bytes_are_refused_before_decoding() -> None:
    with pytest.raises(TooLarge, match="32 MiB"):
        reencode_image(bytes(videos.MAX_BYTES + 1), MP4)
