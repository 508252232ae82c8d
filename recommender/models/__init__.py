"""Rows about trained models: derived data, so the same residency and erasure as the tenant's own data."""

from recommender.models.versions import ActiveModel, ModelState, ModelVersion

__all__ = ["ActiveModel", "ModelState", "ModelVersion"]
