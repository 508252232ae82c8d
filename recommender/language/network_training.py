"""Tunes the multilingual encoder to labelled reviews. Loads torch: workers and commands only.

The network is that of the Universal Sentence Encoder, multilingual v3 (Yang and others, "Multilingual Universal Sentence
Encoder for Semantic Retrieval", ACL 2020): runs of two, three and five pieces, each read twice. It begins with the
encoder's weights. Its table of pieces stays as it is, so that a head knows all pieces and none by its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import Tensor, nn
from torch.nn import functional

from recommender.language.network import ReviewNetwork
from recommender.language.network_export import EPSILON, LEFT, NARROW, POOLED, RUNS, export
from recommender.language.network_tuning import Schedule, tuned
from recommender.language.pieces import WIDTH, Pieces, universal
from recommender.language.sentiment_training import check
from recommender.language.texts import clean
from recommender.types import Bools, DataError, Floats, Report, silent

Arrays = dict[str, Floats]
_BATCH = 64
_LONGER, _SHORTER = 3, 2  # epochs from the encoder, and from a network that knows reviews
_RATE, _HEAD_RATE = 8e-4, 1e-3
# Two views of one text are not two texts; parts of training data that were held out chose this.
_SHARE = 0.5
_DROPPED_PIECES, _DROPPED, _DROPPED_POOLED = 0.1, 0.1, 0.3


class Reader(nn.Module):
    """Parameters carry the names of the exported graph's constants."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.of = nn.ParameterDict(
            {
                name: nn.Parameter(torch.from_numpy(np.array(value, np.float32)))
                for name, value in arrays.items()
            }
        )

    def forward(self, pieces: Tensor, there: Tensor) -> Tensor:
        """(rows, length, WIDTH) and (rows, length, 1) to log-odds (rows)."""
        of, vectors = self.of, pieces
        if self.training:
            kept = torch.rand_like(there) >= _DROPPED_PIECES
            vectors = functional.dropout(vectors * kept / (1 - _DROPPED_PIECES), _DROPPED)
        narrow = vectors @ of["project"] + of["project_bias"]
        narrow = functional.layer_norm(
            narrow, narrow.shape[-1:], of["narrow_gain"], of["narrow_bias"], EPSILON
        )
        read = [vectors]
        for run, part in zip(RUNS, torch.split(narrow * there, NARROW, dim=-1), strict=True):
            once = (functional.relu(self._run(part, run, "first")) + part) * there
            read.append(functional.relu(self._run(once, run, "second")) + once)
        wide = torch.cat(read, dim=-1)
        wide = functional.layer_norm(wide, wide.shape[-1:], of["wide_gain"], of["wide_bias"], EPSILON) * there
        count = there.sum(1)
        mean = (wide.sum(1) @ of["mean"] + count * of["mean_bias"]) / count.sqrt()
        bent = functional.relu(
            mean @ of["bent"] + functional.relu(mean @ of["bent_first"]) @ of["bent_second"]
        )
        most = (wide + (there - 1) * 1e4).amax(1)
        pooled = torch.cat([mean, bent, most], dim=-1)
        pooled = functional.dropout(pooled, _DROPPED_POOLED, self.training)
        said: Tensor = (pooled @ of["praise"] + of["praise_bias"]).squeeze(-1)
        return said

    def _run(self, part: Tensor, run: int, name: str) -> Tensor:
        weight = self.of[f"{name}{run}"].view(run, NARROW, NARROW).permute(2, 1, 0)
        before = LEFT[run]
        around = functional.pad(part.transpose(1, 2), (before, run - 1 - before))
        return functional.conv1d(around, weight, self.of[f"{name}{run}_bias"]).transpose(1, 2)


def fit_network(
    texts: Sequence[str],
    praise: Bools,
    *,
    rng: np.random.Generator,
    start: ReviewNetwork | None = None,
    report: Report = silent,
) -> ReviewNetwork:
    """praise[i] says whether text i praises. From the encoder, or with `start` from a network that knows other reviews.

    `report` hears the fraction of the work done. Raises DataError for too few texts or one kind alone."""
    cleaned = [clean(text) for text in texts]
    check(cleaned, praise)
    if start is not None and start.tokenizer:
        raise DataError("The network to start from was tuned from another encoder.")
    reading = Pieces()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = Reader(load(start.weights) if start else encoder_weights(rng))
        schedule = Schedule(_SHORTER if start else _LONGER, _BATCH, _rate)
        learned = tuned(
            network,
            reading.rows(cleaned),
            praise,
            inputs=reading.inputs,
            schedule=schedule,
            rng=rng,
            report=report,
        )
    arrays = {name.removeprefix("of."): value for name, value in learned.items()}
    weights = save({name: value.astype(np.float16) for name, value in arrays.items()})
    return ReviewNetwork(export(arrays), weights, share=_SHARE)


def _rate(name: str) -> float:
    return _HEAD_RATE if name.startswith("of.praise") else _RATE


def encoder_weights(rng: np.random.Generator) -> Arrays:
    """The encoder's weights under our names, and a head that says next to nothing."""
    of = universal()
    arrays: Arrays = {
        "project": of.proj_W,
        "project_bias": of.proj_b,
        "narrow_gain": of.ln_g_all,
        "narrow_bias": of.ln_b_all,
        "wide_gain": of.ln_g,
        "wide_bias": of.ln_b,
        "mean": of.cnn_W,
        "mean_bias": of.cnn_b,
        "bent_first": of.d0,
        "bent_second": of.d1,
        "bent": of.p1,
        "praise": rng.normal(0, 0.01, (POOLED, 1)).astype(np.float32),
        "praise_bias": np.zeros(1, np.float32),
    }
    for place, run in enumerate(RUNS):
        arrays |= {
            f"first{run}": of.w1[place],
            f"first{run}_bias": of.b1[place],
            f"second{run}": of.w2[place],
            f"second{run}_bias": of.b2[place],
        }
    assert of.proj_W.shape == (WIDTH, NARROW * len(RUNS))  # noqa: S101 - what the package is pinned to
    return arrays
