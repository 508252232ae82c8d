"""Sentences of an answer that say why there are fewer items than requested, or why a later stage was used.

They are part of the API and in English; the portal translates them by their text (`lepton_platform.portal.messages`).
"""

from __future__ import annotations

from recommender.serving.ranking import Ranking
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import RecommendRequest
from recommender.serving.user_context import UserContext

NO_MORE_MATCHES = "No more available items match the filter and were not chosen or excluded before."


def explain_truncation(snapshot: TenantSnapshot, request: RecommendRequest) -> str:
    """Why fewer items than requested were returned."""
    if not snapshot.catalogue.can_be_shown.any():
        return "The catalogue has no available items."
    if request.filter:
        return NO_MORE_MATCHES
    return "All other available items were chosen, disliked or excluded before."


def explain_fallback(snapshot: TenantSnapshot, user: UserContext, ranking: Ranking) -> str | None:
    """Why a stage later than the model was used; None if the model was used."""
    if user.not_personalised_reason:
        return user.not_personalised_reason
    if ranking.stage == "empty":
        return "The catalogue is empty."
    if ranking.stage == "knowledge":
        return "No trained model could be used; the tenant's rules and triples were used."
    if snapshot.bundle is None:
        return snapshot.model_problem or "No model has been trained yet."
    if ranking.stage in ("model", "model_session"):
        return snapshot.model_problem or None
    if ranking.stage == "content":
        return "The model has no learned behaviour for this history yet."
    if ranking.history.size:
        return "No trained model is better than popularity for this tenant."
    return "The user has no history."
