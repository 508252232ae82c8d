"""What becomes of an uploaded image, and which are refused."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from tenants.data.media.images import MAX_BYTES, MAX_STORED_SIDE, EncodedImage, reencode_image
from tenants.errors import Invalid, TooLarge
from tests.drawings import encode_image, make_animation, make_noise_image, make_png_with_declared_size

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def opened(picture: EncodedImage) -> Image.Image:
    image = Image.open(io.BytesIO(picture.content))
    image.load()
    assert Image.MIME[image.format or ""] == picture.content_type
    return image


def with_gps() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret place"
    return encode_image(
        make_noise_image(), "JPEG", exif=exif, comment=b"a secret word", icc_profile=b"a secret profile"
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_an_image_is_written_anew_and_looks_as_before(kind: str) -> None:
    grey = Image.new("RGB", (40, 30), (120, 130, 140))
    image = opened(reencode_image(encode_image(grey, kind), f"image/{kind.lower()}"))
    assert (image.format, image.size) == ("JPEG", (40, 30))
    assert np.abs(np.asarray(image).astype(int) - (120, 130, 140)).max() <= 3


def test_metadata_is_gone_and_the_image_stands_upright() -> None:
    picture = reencode_image(with_gps(), "image/jpeg")
    image = opened(picture)
    assert b"secret" not in picture.content
    assert not image.getexif()
    assert image.size == (300, 200)


@pytest.mark.parametrize("tail", [b"PK\x03\x04<?php", SVG, b"<script>alert(1)</script>"])
def test_what_was_hidden_behind_the_pixels_is_gone(tail: bytes) -> None:
    assert tail not in reencode_image(encode_image(make_noise_image()) + tail, "image/png").content


def test_a_large_image_is_made_smaller() -> None:
    assert opened(
        reencode_image(encode_image(Image.new("RGB", (3000, 1500)), "JPEG"), "image/jpeg")
    ).size == (
        MAX_STORED_SIDE,
        MAX_STORED_SIDE // 2,
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_stays(mode: str) -> None:
    image = opened(reencode_image(encode_image(Image.new(mode, (20, 20))), "image/png"))
    assert (image.format, image.mode) == ("WEBP", "RGBA")
    assert image.getchannel("A").getextrema() == (0, 0)


def test_a_palette_with_a_transparent_colour_stays_transparent() -> None:
    palette = Image.new("P", (20, 20))
    picture = reencode_image(encode_image(palette, transparency=0), "image/png")
    assert opened(picture).getchannel("A").getextrema() == (0, 0)


def test_greys_of_sixteen_bits_keep_their_shade() -> None:
    grey = Image.fromarray(np.full((20, 20), 0x8000, np.uint16))
    image = opened(reencode_image(encode_image(grey), "image/png"))
    assert np.abs(np.asarray(image).astype(int) - 128).max() <= 3


def test_inks_become_colours() -> None:
    image = opened(
        reencode_image(encode_image(Image.new("CMYK", (20, 20), (0, 0, 255, 0)), "JPEG"), "image/jpeg")
    )
    red, green, blue = np.asarray(image)[10, 10].tolist()
    assert red > 240
    assert green > 240
    assert blue < 60


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_image_four_frames_are_kept(kind: str) -> None:
    image = opened(reencode_image(make_animation(kind, 40), f"image/{kind.lower()}"))
    assert (image.format, image.n_frames) == ("WEBP", 4)  # type: ignore[attr-defined]
    shades = []
    for frame in range(4):
        image.seek(frame)
        shades.append(int(np.asarray(image.convert("L")).mean()))
    assert np.abs(np.array(shades) - (0, 83, 166, 249)).max() < 12


def test_no_frame_behind_the_first_two_hundred_is_looked_at() -> None:
    image = opened(reencode_image(make_animation("GIF", 250), "image/gif"))
    image.seek(image.n_frames - 1)  # type: ignore[attr-defined]
    assert abs(int(np.asarray(image.convert("L")).mean()) - 199 * 255 // 250) < 6


def test_ten_thousand_frames_are_no_trouble() -> None:
    shots = [Image.new("L", (16, 16), n * 37 % 256) for n in range(10_000)]
    film = encode_image(shots[0], "GIF", save_all=True, append_images=shots[1:])
    started = time.process_time()
    assert opened(reencode_image(film, "image/gif")).n_frames == 4  # type: ignore[attr-defined]
    assert time.process_time() - started < 1


REFUSED = {
    "a drawing in markup": (SVG, "image/png", "unsupported_image"),
    "a type that is not taken": (SVG, "image/svg+xml", "unsupported_image"),
    "nothing": (b"", "image/png", "unsupported_image"),
    "a signature and no image": (b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png", "unsupported_image"),
    "another type than said": (encode_image(make_noise_image()), "image/jpeg", "image_type_mismatch"),
    "a JPEG cut short": (encode_image(make_noise_image(), "JPEG")[:2_000], "image/jpeg", "broken_image"),
    "a PNG cut short": (encode_image(make_noise_image())[:2_000], "image/png", "broken_image"),
    "a WebP cut short": (encode_image(make_noise_image(), "WEBP")[:2_000], "image/webp", "broken_image"),
    "a PNG without pixels": (make_png_with_declared_size(100, 100), "image/png", "broken_image"),
    "a bomb of 900 million pixels": (
        make_png_with_declared_size(30_000, 30_000),
        "image/png",
        "too_many_pixels",
    ),
    "a bomb of 100 million pixels": (
        make_png_with_declared_size(10_000, 10_000),
        "image/png",
        "too_many_pixels",
    ),
    "a ribbon": (encode_image(Image.new("L", (65_500, 10)), "JPEG"), "image/jpeg", "too_many_pixels"),
}


@pytest.mark.parametrize(("content", "said", "code"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_good_image_is_refused_in_one_sentence(content: bytes, said: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        reencode_image(content, said)
    assert refusal.value.errors[0].code == code
    assert refusal.value.detail.endswith(".")


def test_more_bytes_than_are_taken_are_not_even_looked_at() -> None:
    with pytest.raises(TooLarge, match="8 MiB"):
        reencode_image(bytes(MAX_BYTES + 1), "image/png")
