"""The parameters of a trained network in a form that a later training continues from.

Imports torch, so only training processes may import this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load, save

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.base import OnnxSequentialModel
from recommender.algorithms.sequential.network import NextItemNetwork, to_numpy
from recommender.types import BoolArray, Int32Array

# Parameters whose shape depends on the items or features of one training. The embeddings are stored in the model's
# table; the projection belongs to SVD components that the next training computes anew.
ITEM_PARAMETERS = frozenset({"item_embedding.weight", "feature_projection.weight"})
_EVENTS_KEY = "events"


@dataclass(frozen=True)
class WarmStart:
    """What a network has taken over from a previous model.

    is_trained: Items whose embedding comes from the previous model, bool (items).
    n_events: Number of events that the previous model was trained on.
    """

    is_trained: BoolArray
    n_events: int


def serialize_weights(
    network: NextItemNetwork,
    n_events: int,
) -> bytes:
    """Serialises the parameters that do not belong to items, as safetensors, with the number of training events."""
    arrays: Arrays = {_EVENTS_KEY: np.array(n_events, np.int64)}
    for name, parameter in network.state_dict().items():
        if name not in ITEM_PARAMETERS:
            arrays[name] = to_numpy(parameter)
    return save(arrays)


def copy_weights(
    network: NextItemNetwork,
    previous: OnnxSequentialModel[Any],
    previous_index: Int32Array,
) -> WarmStart | None:
    """Copies the parameters and embeddings of a served model into a new network.

    Args:
        network: Changed in place.
        previous: The served model.
        previous_index: For each item its number in the previous model, or -1 for a new item, which keeps its random
            embedding.

    Returns:
        None if the previous model has no stored weights or other shapes; the network is unchanged then.
    """
    if not previous.weights:
        return None
    stored = load(previous.weights)
    state = network.state_dict()
    parameters = {}
    for name, parameter in state.items():
        if name in ITEM_PARAMETERS:
            continue
        if name not in stored or stored[name].shape != tuple(parameter.shape):
            return None
        parameters[name] = torch.from_numpy(stored[name])
    embeddings = to_numpy(network.item_embedding.weight)
    previous_embeddings = previous.get_item_embeddings()
    if previous_embeddings.shape[1] != embeddings.shape[1]:
        return None
    was_untrained = np.isin(previous_index, previous.untrained_items)
    is_trained = (previous_index >= 0) & ~was_untrained
    # The last row is the padding item.
    embeddings[:-1][is_trained] = previous_embeddings[previous_index[is_trained]]
    parameters["item_embedding.weight"] = torch.from_numpy(embeddings)
    network.load_state_dict(parameters)
    return WarmStart(is_trained, n_events=int(stored[_EVENTS_KEY]))
