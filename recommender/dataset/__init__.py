"""Interactions and items: what algorithms learn from, how it is read and how it is split."""

from recommender.dataset.core import Dataset, ItemContent, ItemOpinions
from recommender.dataset.splits import Protocol, Split, leave_last_out, time_split

__all__ = ["Dataset", "ItemContent", "ItemOpinions", "Protocol", "Split", "leave_last_out", "time_split"]
