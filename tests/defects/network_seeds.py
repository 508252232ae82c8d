"""Defects of the networks that read a history in order."""

from __future__ import annotations

from tests.defects.seeds import Seed

NETWORK_SEEDS = (
    Seed(
        "the gates of a cell change places on the way to serving",
        "recommender/algorithms/sequential/gru4rec_training.py",
        '"gru": (1, 0, 2)',
        '"gru": (0, 1, 2)',
        "tests/recommender/algorithms/test_sequential_networks.py",
    ),
    Seed(
        "attention sees the answer",
        "recommender/algorithms/sequential/attention.py",
        "is_causal=True",
        "is_causal=False",
        "tests/recommender/algorithms/test_sequential_networks.py",
    ),
    Seed(
        "cells are served with the weights of full width",
        "recommender/algorithms/sequential/onnx_export.py",
        "    _quantize_recurrent_weights(model.graph)\n",
        "",
        "tests/recommender/algorithms/test_sequential_networks.py",
    ),
    Seed(
        "the right item counts as a wrong one when it is drawn",
        "recommender/algorithms/sequential/sampled_softmax.py",
        "        negative_exp[accidental_hits[0], accidental_hits[1]] = 0\n",
        "",
        "tests/recommender/algorithms/test_sampled_softmax.py",
    ),
    Seed(
        "what a text says of an item is learned and not served",
        "recommender/algorithms/sequential/network.py",
        "return to_numpy(self.embed_items(torch.arange(self.item_embedding.num_embeddings - 1)))",
        "return to_numpy(self.item_embedding.weight)[:-1]",
        "tests/recommender/algorithms/test_text_components.py",
    ),
    Seed(
        "weights of several rounds are added up and not divided",
        "recommender/algorithms/sequential/optimization.py",
        "weight.copy_(total / self.n_snapshots)",
        "weight.copy_(total)",
        "tests/recommender/algorithms/test_averaged_weights.py",
    ),
    Seed(
        "an item without a text points where the mean points",
        "recommender/features/text_svd.py",
        "has_terms = np.flatnonzero(np.diff(vectors.indptr))",
        "has_terms = np.arange(len(texts))",
        "tests/recommender/algorithms/test_text_components.py",
    ),
)
