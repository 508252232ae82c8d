"""Uploaded images are re-encoded or rejected."""

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


def open_image(encoded_image: EncodedImage) -> Image.Image:
    image = Image.open(io.BytesIO(encoded_image.content))
    image.load()
    assert Image.MIME[image.format or ""] == encoded_image.content_type
    return image


def build_jpeg_with_metadata() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret place"
    return encode_image(
        make_noise_image(), "JPEG", exif=exif, comment=b"a secret word", icc_profile=b"a secret profile"
    )


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_an_image_is_reencoded_with_equal_pixels(image_format: str) -> None:
    grey_image = Image.new("RGB", (40, 30), (120, 130, 140))
    image = open_image(
        reencode_image(encode_image(grey_image, image_format), f"image/{image_format.lower()}")
    )
    assert (image.format, image.size) == ("JPEG", (40, 30))
    assert np.abs(np.asarray(image).astype(int) - (120, 130, 140)).max() <= 3


def test_metadata_is_removed_and_the_rotation_is_applied() -> None:
    encoded_image = reencode_image(build_jpeg_with_metadata(), "image/jpeg")
    image = open_image(encoded_image)
    assert b"secret" not in encoded_image.content
    assert not image.getexif()
    assert image.size == (300, 200)


@pytest.mark.parametrize("tail", [b"PK\x03\x04<?php", SVG, b"<script>alert(1)</script>"])
def test_data_after_the_pixels_is_removed(tail: bytes) -> None:
    assert tail not in reencode_image(encode_image(make_noise_image()) + tail, "image/png").content


def test_a_large_image_is_scaled_down() -> None:
    assert open_image(
        reencode_image(encode_image(Image.new("RGB", (3000, 1500)), "JPEG"), "image/jpeg")
    ).size == (
        MAX_STORED_SIDE,
        MAX_STORED_SIDE // 2,
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_preserved(mode: str) -> None:
    image = open_image(reencode_image(encode_image(Image.new(mode, (20, 20))), "image/png"))
    assert (image.format, image.mode) == ("WEBP", "RGBA")
    assert image.getchannel("A").getextrema() == (0, 0)


def test_a_transparent_palette_colour_is_preserved() -> None:
    palette = Image.new("P", (20, 20))
    encoded_image = reencode_image(encode_image(palette, transparency=0), "image/png")
    assert open_image(encoded_image).getchannel("A").getextrema() == (0, 0)


def test_sixteen_bit_greys_are_scaled_to_eight_bits() -> None:
    grey_image = Image.fromarray(np.full((20, 20), 0x8000, np.uint16))
    image = open_image(reencode_image(encode_image(grey_image), "image/png"))
    assert np.abs(np.asarray(image).astype(int) - 128).max() <= 3


def test_cmyk_is_converted_to_rgb() -> None:
    image = open_image(
        reencode_image(encode_image(Image.new("CMYK", (20, 20), (0, 0, 255, 0)), "JPEG"), "image/jpeg")
    )
    red, green, blue = np.asarray(image)[10, 10].tolist()
    assert red > 240
    assert green > 240
    assert blue < 60


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_four_frames_of_an_animation_are_stored(image_format: str) -> None:
    image = open_image(reencode_image(make_animation(image_format, 40), f"image/{image_format.lower()}"))
    assert (image.format, image.n_frames) == ("WEBP", 4)  # type: ignore[attr-defined]
    shades = []
    for frame in range(4):
        image.seek(frame)
        shades.append(int(np.asarray(image.convert("L")).mean()))
    assert np.abs(np.array(shades) - (0, 83, 166, 249)).max() < 12


def test_frames_after_the_first_two_hundred_are_not_decoded() -> None:
    image = open_image(reencode_image(make_animation("GIF", 250), "image/gif"))
    image.seek(image.n_frames - 1)  # type: ignore[attr-defined]
    assert abs(int(np.asarray(image.convert("L")).mean()) - 199 * 255 // 250) < 6


def test_ten_thousand_frames_are_processed_within_a_second() -> None:
    frames = [Image.new("L", (16, 16), n * 37 % 256) for n in range(10_000)]
    animation = encode_image(frames[0], "GIF", save_all=True, append_images=frames[1:])
    start = time.process_time()
    assert open_image(reencode_image(animation, "image/gif")).n_frames == 4  # type: ignore[attr-defined]
    assert time.process_time() - start < 1


REJECTED = {
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


@pytest.mark.parametrize(("content", "media_type", "code"), REJECTED.values(), ids=list(REJECTED))
def test_an_invalid_image_is_refused_in_one_sentence(content: bytes, media_type: str, code: str) -> None:
    with pytest.raises(Invalid) as rejection:
        reencode_image(content, media_type)
    assert rejection.value.errors[0].code == code
    assert rejection.value.detail.endswith(".")


def test_too_many_bytes_are_refused_before_decoding() -> None:
    with pytest.raises(TooLarge, match="8 MiB"):
        reencode_image(bytes(MAX_BYTES + 1), "image/png")
