"""Batches of histories for training. Only numpy."""

from __future__ import annotations

import numpy as np

from recommender.types import Histories, Int32Array, Int64Array


def group_by_length(
    lengths: Int64Array,
    batch_size: int,
    rng: np.random.Generator,
) -> list[Int64Array]:
    """Groups the rows with two or more events into batches of similar length, in random order.

    With batches of any lengths, padding to the longest would be most of the work: the mean length is far below it.

    Args:
        lengths: Events of each row.
        batch_size: Rows of a batch; the last group may have fewer.
        rng: Generator of the order.

    Returns:
        Row numbers of each batch.
    """
    # A random fraction shuffles rows of equal length without mixing lengths.
    order = np.argsort(lengths + rng.random(len(lengths)), kind="stable")
    order = order[lengths[order] >= 2]
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [batches[number] for number in rng.permutation(len(batches))]


def pad_right(
    histories: Histories,
    padding_idx: int,
) -> Int32Array:
    """Returns the histories as a matrix, int32 (rows, greatest length), padded with `padding_idx` at the end."""
    lengths = histories.lengths
    matrix = np.full((len(histories), int(lengths.max())), padding_idx, np.int32)
    # Position of each event in its row: its position in the flat array minus the start of its row.
    columns = np.arange(len(histories.item)) - np.repeat(histories.indptr[:-1], lengths)
    matrix[histories.row_ids(), columns] = histories.item
    return matrix
