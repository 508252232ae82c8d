"""Answers from a tenant's model, in the web process: no torch here."""

from recommender.serving.recommend import answered, asked, recommend
from recommender.serving.similar import similar
from recommender.serving.types import RecommendAnswer, RecommendedItem, RecommendRequest

__all__ = [
    "RecommendAnswer",
    "RecommendRequest",
    "RecommendedItem",
    "answered",
    "asked",
    "recommend",
    "similar",
]
