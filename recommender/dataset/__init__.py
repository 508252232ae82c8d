"""Interactions and items: the data set that models learn from, its files, its cleaning and its splits."""

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
