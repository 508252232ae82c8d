"""Interactions and items: what algorithms learn from, how it is read and how it is split."""

from recommender.dataset.dataset import Dataset, ItemContent, ItemReviewFeatures
from recommender.dataset.splits import EvaluationProtocol, Split, leave_last_out, time_split

__all__ = [
    "Dataset",
    "EvaluationProtocol",
    "ItemContent",
    "ItemReviewFeatures",
    "Split",
    "leave_last_out",
    "time_split",
]
