"""Answers requests from a tenant's active model in the web process, without importing torch.

`prepare_request` needs no transaction; `answer_request` runs inside the caller's. `recommender.serving.recommend.recommend` calls
both in a transaction of its own.
"""

from recommender.serving.recommend import answer_request, prepare_request
from recommender.serving.similar import find_similar_items
from recommender.serving.types import RecommendAnswer, RecommendedItem, RecommendRequest

__all__ = [
    "RecommendAnswer",
    "RecommendRequest",
    "RecommendedItem",
    "answer_request",
    "find_similar_items",
    "prepare_request",
]
