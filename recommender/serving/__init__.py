"""Answers from a tenant's model, in the web process: no torch here."""

from recommender.serving.recommend import answer_request, prepare_request, recommend
from recommender.serving.similar import find_similar_items
from recommender.serving.types import RecommendAnswer, RecommendedItem, RecommendRequest

__all__ = [
    "RecommendAnswer",
    "RecommendRequest",
    "RecommendedItem",
    "answer_request",
    "find_similar_items",
    "prepare_request",
    "recommend",
]
