"""Rows about trained models. They are derived from tenant data: same residency and erasure as the data itself."""

from recommender.models.versions import ActiveModel, ModelState, ModelVersion

__all__ = ["ActiveModel", "ModelState", "ModelVersion"]
